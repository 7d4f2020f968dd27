-- How many bids does a person make within 10 seconds? By the time of the events: there are no windows of the clock.
CREATE TABLE q12 AS
  SELECT bidder, AS_VALUE(bidder) AS id, COUNT(*) AS num, WINDOWSTART AS since, WINDOWEND AS until
  FROM bid WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY bidder;
