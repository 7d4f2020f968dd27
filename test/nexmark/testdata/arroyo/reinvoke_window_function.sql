CREATE TABLE rides WITH (key_format='JSON') AS
  SELECT UNIX_TIMESTAMP(PARSE_TIMESTAMP(timestamp, 'yyyy-MM-dd''T''HH:mm:ssX')) / 3600000 AS slot, driver_id, COUNT(*) AS n
  FROM cars WHERE event_type = 'pickup'
  GROUP BY UNIX_TIMESTAMP(PARSE_TIMESTAMP(timestamp, 'yyyy-MM-dd''T''HH:mm:ssX')) / 3600000, driver_id;
CREATE TABLE result AS
  SELECT slot, AS_VALUE(slot) * 3600000 AS start, (AS_VALUE(slot) + 1) * 3600000 AS `END`, SUM(CASE WHEN n > 2 THEN 1 ELSE 0 END) AS drivers
  FROM rides GROUP BY slot HAVING SUM(CASE WHEN n > 2 THEN 1 ELSE 0 END) > 0;
