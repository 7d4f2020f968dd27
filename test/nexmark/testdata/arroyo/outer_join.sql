CREATE TABLE pickups AS SELECT driver_id, COUNT(*) AS n FROM cars WHERE event_type = 'pickup' AND driver_id IN (100, 200) GROUP BY driver_id;
CREATE TABLE dropoffs AS SELECT driver_id, COUNT(*) AS n FROM cars WHERE event_type = 'dropoff' AND driver_id IN (100, 200) GROUP BY driver_id;
CREATE TABLE result AS
  SELECT ROWKEY AS k, AS_VALUE(ROWKEY) AS driver_id, p.n IS NOT NULL AS has_pickup, d.n IS NOT NULL AS has_dropoff
  FROM pickups p FULL OUTER JOIN dropoffs d ON p.driver_id = d.driver_id;
