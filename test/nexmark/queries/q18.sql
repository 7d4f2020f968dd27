-- The last bid of each person on each auction.
CREATE TABLE q18 WITH (key_format='JSON') AS
  SELECT auction, bidder, AS_VALUE(auction) AS id, AS_VALUE(bidder) AS person, LATEST_BY_OFFSET(price) AS price, LATEST_BY_OFFSET(channel) AS channel,
    LATEST_BY_OFFSET(url) AS url, LATEST_BY_OFFSET(date_time) AS date_time, LATEST_BY_OFFSET(extra) AS extra
  FROM bid GROUP BY auction, bidder;
