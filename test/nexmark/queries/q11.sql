-- How many bids does a person make in a time of activity?
CREATE TABLE q11 AS
  SELECT bidder, AS_VALUE(bidder) AS id, COUNT(*) AS num, WINDOWSTART AS since, WINDOWEND AS until
  FROM bid WINDOW SESSION (10 SECONDS) GROUP BY bidder;
