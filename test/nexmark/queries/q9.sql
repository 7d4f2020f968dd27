-- The winning bid of each auction: the highest while it is open, of equal ones the first.
CREATE TABLE q9_valid AS
  SELECT b.id, a.id AS auction, b.bidder AS bidder, b.price AS price, b.date_time AS date_time
  FROM bids b JOIN auctions a ON b.auction = a.id
  WHERE b.date_time BETWEEN a.date_time AND a.expires;
CREATE STREAM q9_found (auction BIGINT, bidder BIGINT, price BIGINT, date_time TIMESTAMP) WITH (kafka_topic='Q9_VALID', value_format='JSON');
CREATE TABLE q9_best AS SELECT auction, TOPK(price, -UNIX_TIMESTAMP(date_time), bidder, 1) AS best FROM q9_found GROUP BY auction;
CREATE TABLE q9 AS
  SELECT a.id, AS_VALUE(a.id) AS auction, a.item_name AS item_name, a.description AS description, a.initial_bid AS initial_bid,
    a.reserve AS reserve, a.date_time AS date_time, a.expires AS expires, a.seller AS seller, a.category AS category,
    AS_VALUE(b.auction) AS bid_auction, b.best[1]->`col1` AS bidder, b.best[1]->`sort_col` AS price,
    FROM_UNIXTIME(-b.best[1]->`col0`) AS bid_time
  FROM auctions a JOIN q9_best b ON a.id = b.auction;
