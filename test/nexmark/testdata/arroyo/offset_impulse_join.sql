CREATE STREAM again AS SELECT * FROM impulse;
CREATE STREAM result AS
  SELECT a.counter AS k, AS_VALUE(a.counter) AS counter, a.ROWTIME / 1000 * 1000 AS start
  FROM impulse a JOIN again b WITHIN 1 SECOND ON a.counter = b.counter
  WHERE a.ROWTIME / 1000 = b.ROWTIME / 1000;
