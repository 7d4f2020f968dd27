CREATE STREAM result AS SELECT counter, 'first' AS source FROM impulse;
INSERT INTO result SELECT counter, 'second' AS source FROM impulse;
