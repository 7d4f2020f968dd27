-- The average price of winning bids by category: the highest of each auction while it is open. A valid bid is found once and stays.
CREATE TABLE q4_valid AS
  SELECT b.id, a.id AS auction, a.category AS category, b.price AS price
  FROM bids b JOIN auctions a ON b.auction = a.id
  WHERE b.date_time BETWEEN a.date_time AND a.expires;
CREATE STREAM q4_found (auction BIGINT, category BIGINT, price BIGINT) WITH (kafka_topic='Q4_VALID', value_format='JSON');
CREATE TABLE q4_highest WITH (key_format='JSON') AS
  SELECT auction, category, MAX(price) AS price FROM q4_found GROUP BY auction, category;
CREATE TABLE q4 AS SELECT category, AS_VALUE(category) AS id, AVG(price) AS price FROM q4_highest GROUP BY category;
