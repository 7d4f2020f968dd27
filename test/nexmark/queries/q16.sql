-- Bids of each channel and day: how many, of how many persons, on how many auctions, in ranks of price. COUNT_DISTINCT is exact up to some
-- hundred values.
CREATE TABLE q16 WITH (key_format='JSON') AS
  SELECT channel, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day, AS_VALUE(channel) AS of, FORMAT_TIMESTAMP(MAX(date_time), 'yyyy-MM-dd') AS date,
    FORMAT_TIMESTAMP(MAX(date_time), 'hh:MM') AS latest,
    COUNT(*) AS n,
    SUM(CASE WHEN price < 10000 THEN 1 ELSE 0 END) AS n1,
    SUM(CASE WHEN price >= 10000 AND price < 1000000 THEN 1 ELSE 0 END) AS n2,
    SUM(CASE WHEN price >= 1000000 THEN 1 ELSE 0 END) AS n3,
    COUNT_DISTINCT(bidder) AS b,
    COUNT_DISTINCT(CASE WHEN price < 10000 THEN bidder END) AS b1,
    COUNT_DISTINCT(CASE WHEN price >= 10000 AND price < 1000000 THEN bidder END) AS b2,
    COUNT_DISTINCT(CASE WHEN price >= 1000000 THEN bidder END) AS b3,
    COUNT_DISTINCT(auction) AS a,
    COUNT_DISTINCT(CASE WHEN price < 10000 THEN auction END) AS a1,
    COUNT_DISTINCT(CASE WHEN price >= 10000 AND price < 1000000 THEN auction END) AS a2,
    COUNT_DISTINCT(CASE WHEN price >= 1000000 THEN auction END) AS a3
  FROM bid GROUP BY channel, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd');
