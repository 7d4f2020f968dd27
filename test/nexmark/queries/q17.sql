-- Bids of each auction and day.
CREATE TABLE q17 WITH (key_format='JSON') AS
  SELECT auction, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day, AS_VALUE(auction) AS id, FORMAT_TIMESTAMP(MAX(date_time), 'yyyy-MM-dd') AS date,
    COUNT(*) AS n,
    SUM(CASE WHEN price < 10000 THEN 1 ELSE 0 END) AS n1,
    SUM(CASE WHEN price >= 10000 AND price < 1000000 THEN 1 ELSE 0 END) AS n2,
    SUM(CASE WHEN price >= 1000000 THEN 1 ELSE 0 END) AS n3,
    MIN(price) AS lowest, MAX(price) AS highest, AVG(price) AS average, SUM(price) AS total
  FROM bid GROUP BY auction, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd');
