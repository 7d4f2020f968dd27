-- Which auctions have the most bids in the last 10 seconds, every 2 seconds? Counts only grow, so their changes have the greatest one too.
CREATE TABLE q5_windows AS
  SELECT auction, AS_VALUE(auction) AS id, COUNT(*) AS num, WINDOWSTART AS since
  FROM bid WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 2 SECONDS) GROUP BY auction;
CREATE STREAM q5_changes (id BIGINT, num BIGINT, since BIGINT) WITH (kafka_topic='Q5_WINDOWS', value_format='JSON');
CREATE TABLE q5_most AS SELECT since, MAX(num) AS num FROM q5_changes GROUP BY since;
CREATE TABLE q5_counts AS
  SELECT CAST(id AS VARCHAR) + '@' + CAST(since AS VARCHAR) AS place,
    LATEST_BY_OFFSET(id) AS auction, LATEST_BY_OFFSET(num) AS num, LATEST_BY_OFFSET(since) AS since
  FROM q5_changes GROUP BY CAST(id AS VARCHAR) + '@' + CAST(since AS VARCHAR);
CREATE TABLE q5 AS
  SELECT c.place, c.auction AS auction, c.num AS num
  FROM q5_counts c JOIN q5_most m ON c.since = m.since
  WHERE c.num = m.num;
