-- Who opened an auction within the 10 seconds in which they registered?
CREATE TABLE q8_sellers AS
  SELECT CAST(seller AS VARCHAR) + '@' + CAST(UNIX_TIMESTAMP(date_time) / 10000 AS VARCHAR) AS place, COUNT(*) AS num
  FROM auction GROUP BY CAST(seller AS VARCHAR) + '@' + CAST(UNIX_TIMESTAMP(date_time) / 10000 AS VARCHAR);
CREATE TABLE q8 AS
  SELECT p.id, AS_VALUE(p.id) AS person, p.name AS name, FROM_UNIXTIME(UNIX_TIMESTAMP(p.date_time) / 10000 * 10000) AS since
  FROM persons p JOIN q8_sellers s ON CAST(p.id AS VARCHAR) + '@' + CAST(UNIX_TIMESTAMP(p.date_time) / 10000 AS VARCHAR) = s.place;
