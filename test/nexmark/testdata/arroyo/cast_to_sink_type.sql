CREATE STREAM result AS SELECT CAST(driver_id AS VARCHAR) AS driver_id, timestamp FROM cars;
