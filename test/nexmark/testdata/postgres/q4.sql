SELECT category, SUM(highest)::float8 / COUNT(*)
FROM (
  SELECT a.id, a.category, MAX(b.price) AS highest
  FROM auction a JOIN bid b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
  GROUP BY a.id, a.category
) AS winning
GROUP BY category
