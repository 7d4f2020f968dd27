CREATE STREAM result AS SELECT * FROM cars WHERE driver_id = 100 AND event_type = 'pickup';
INSERT INTO result SELECT * FROM cars WHERE driver_id = 101 AND event_type = 'dropoff';
