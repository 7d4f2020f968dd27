-- A session of Arroyo ends a gap after its last row.
CREATE TABLE result AS
  SELECT CASE WHEN counter % 10 = 0 THEN 0 ELSE counter END AS k, AS_VALUE(CASE WHEN counter % 10 = 0 THEN 0 ELSE counter END) AS user_id,
    COUNT(*) AS rows, WINDOWSTART AS start, WINDOWEND + 20000 AS `END`
  FROM impulse WINDOW SESSION (20 SECONDS) GROUP BY CASE WHEN counter % 10 = 0 THEN 0 ELSE counter END;
