SELECT auction, to_char(date_time, 'YYYY-MM-DD'),
  COUNT(*),
  COUNT(*) FILTER (WHERE price < 10000),
  COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000),
  COUNT(*) FILTER (WHERE price >= 1000000),
  MIN(price), MAX(price), SUM(price)::float8 / COUNT(*), SUM(price)
FROM bid GROUP BY 1, 2
