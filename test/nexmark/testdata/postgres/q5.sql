WITH counts AS (
  SELECT b.auction, slot - since AS slot, COUNT(*) AS num
  FROM (SELECT auction, floor(extract(epoch FROM date_time) / 2)::bigint AS slot FROM bid) AS b CROSS JOIN generate_series(0, 4) AS since
  GROUP BY 1, 2
)
SELECT auction, num FROM (SELECT *, MAX(num) OVER (PARTITION BY slot) AS most FROM counts) AS c WHERE num = most
