CREATE STREAM kept AS SELECT driver_id, event_type FROM cars;
CREATE STREAM result AS SELECT * FROM kept;
