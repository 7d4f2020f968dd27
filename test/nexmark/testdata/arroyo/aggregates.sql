CREATE TABLE result AS
  SELECT 1 AS k, MIN(counter) AS min, MAX(counter) AS max, SUM(counter) AS sum, COUNT(*) AS count, AVG(counter) AS avg FROM impulse GROUP BY 1;
