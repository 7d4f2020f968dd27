-- Bids of each day: how many, of how many persons, on how many auctions, in ranks of price.
CREATE TABLE q15_bidders WITH (key_format='JSON') AS
  SELECT FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day, bidder, COUNT(*) AS n,
    SUM(CASE WHEN price < 10000 THEN 1 ELSE 0 END) AS n1,
    SUM(CASE WHEN price >= 10000 AND price < 1000000 THEN 1 ELSE 0 END) AS n2,
    SUM(CASE WHEN price >= 1000000 THEN 1 ELSE 0 END) AS n3
  FROM bid GROUP BY FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd'), bidder;
CREATE TABLE q15_auctions WITH (key_format='JSON') AS
  SELECT FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day, auction, COUNT(*) AS n,
    SUM(CASE WHEN price < 10000 THEN 1 ELSE 0 END) AS n1,
    SUM(CASE WHEN price >= 10000 AND price < 1000000 THEN 1 ELSE 0 END) AS n2,
    SUM(CASE WHEN price >= 1000000 THEN 1 ELSE 0 END) AS n3
  FROM bid GROUP BY FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd'), auction;
CREATE TABLE q15_days_of_bidders AS
  SELECT day, SUM(n) AS n, SUM(n1) AS n1, SUM(n2) AS n2, SUM(n3) AS n3, COUNT(*) AS b, SUM(CASE WHEN n1 > 0 THEN 1 ELSE 0 END) AS b1,
    SUM(CASE WHEN n2 > 0 THEN 1 ELSE 0 END) AS b2, SUM(CASE WHEN n3 > 0 THEN 1 ELSE 0 END) AS b3
  FROM q15_bidders GROUP BY day;
CREATE TABLE q15_days_of_auctions AS
  SELECT day, COUNT(*) AS a, SUM(CASE WHEN n1 > 0 THEN 1 ELSE 0 END) AS a1, SUM(CASE WHEN n2 > 0 THEN 1 ELSE 0 END) AS a2,
    SUM(CASE WHEN n3 > 0 THEN 1 ELSE 0 END) AS a3
  FROM q15_auctions GROUP BY day;
CREATE TABLE q15 AS
  SELECT x.day, AS_VALUE(x.day) AS date, x.n AS n, x.n1 AS n1, x.n2 AS n2, x.n3 AS n3, x.b AS b, x.b1 AS b1, x.b2 AS b2, x.b3 AS b3,
    y.a AS a, y.a1 AS a1, y.a2 AS a2, y.a3 AS a3
  FROM q15_days_of_bidders x JOIN q15_days_of_auctions y ON x.day = y.day;
