CREATE TABLE dropoffs AS
  SELECT UNIX_TIMESTAMP(PARSE_TIMESTAMP(timestamp, 'yyyy-MM-dd''T''HH:mm:ssX')) / 3600000 AS slot, COUNT_DISTINCT(driver_id) AS drivers
  FROM cars WHERE event_type = 'dropoff' GROUP BY UNIX_TIMESTAMP(PARSE_TIMESTAMP(timestamp, 'yyyy-MM-dd''T''HH:mm:ssX')) / 3600000;
CREATE TABLE pickups AS
  SELECT UNIX_TIMESTAMP(PARSE_TIMESTAMP(timestamp, 'yyyy-MM-dd''T''HH:mm:ssX')) / 3600000 AS slot, COUNT_DISTINCT(driver_id) AS drivers
  FROM cars WHERE event_type = 'pickup' GROUP BY UNIX_TIMESTAMP(PARSE_TIMESTAMP(timestamp, 'yyyy-MM-dd''T''HH:mm:ssX')) / 3600000;
CREATE TABLE result AS
  SELECT d.slot, AS_VALUE(d.slot) * 3600000 AS hour, d.drivers AS drivers, p.drivers AS pickups FROM dropoffs d JOIN pickups p ON d.slot = p.slot;
