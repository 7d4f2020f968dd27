WITH gaps AS (
  SELECT bidder, date_time, date_time - LAG(date_time) OVER (PARTITION BY bidder ORDER BY date_time) > interval '10 seconds' AS begins FROM bid
), sessions AS (
  SELECT bidder, date_time, COUNT(*) FILTER (WHERE begins) OVER (PARTITION BY bidder ORDER BY date_time) AS session FROM gaps
)
SELECT bidder, COUNT(*), (extract(epoch FROM MIN(date_time)) * 1000)::bigint, (extract(epoch FROM MAX(date_time)) * 1000)::bigint
FROM sessions GROUP BY bidder, session
