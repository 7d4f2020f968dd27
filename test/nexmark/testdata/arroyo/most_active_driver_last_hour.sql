-- Counts only grow, so the greatest of (count, driver) among their changes is that of the last counts.
CREATE TABLE counts AS
  SELECT driver_id, AS_VALUE(driver_id) AS driver, COUNT(*) AS n, WINDOWSTART AS since, WINDOWEND AS until
  FROM cars WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 1 MINUTE) GROUP BY driver_id;
CREATE STREAM changes (driver BIGINT, n BIGINT, since BIGINT, until BIGINT) WITH (kafka_topic='COUNTS', value_format='JSON');
CREATE TABLE result AS
  SELECT since AS k, MAX(n * 1000 + driver) / 1000 AS count, MAX(n * 1000 + driver) % 1000 AS driver_id, AS_VALUE(since) AS start, MAX(until) AS `END`,
    1 AS row_number
  FROM changes GROUP BY since;
