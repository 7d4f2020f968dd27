-- The highest bids of each 10 seconds.
CREATE TABLE q7_highest AS
  SELECT UNIX_TIMESTAMP(date_time) / 10000 AS slot, MAX(price) AS price FROM bid GROUP BY UNIX_TIMESTAMP(date_time) / 10000;
CREATE TABLE q7 AS
  SELECT b.id, b.auction AS auction, b.price AS price, b.bidder AS bidder, b.date_time AS date_time
  FROM bids b JOIN q7_highest h ON UNIX_TIMESTAMP(b.date_time) / 10000 = h.slot
  WHERE b.price = h.price;
