-- The left rows meet the groups of their count: these are grouped again by it, so that a table has it for its key.
CREATE TABLE l AS SELECT counter, COUNT(*) AS n FROM impulse WHERE counter < 3 GROUP BY counter;
CREATE TABLE r AS SELECT counter % 2 AS k, AS_VALUE(counter % 2) AS m, COUNT(*) AS n FROM impulse WHERE counter < 3 GROUP BY counter % 2;
CREATE TABLE by_count AS SELECT n, SUM(m) AS m, AS_VALUE(n) AS num FROM r GROUP BY n HAVING COUNT(*) > 0;
CREATE TABLE result AS
  SELECT ROWKEY AS k, AS_VALUE(ROWKEY) AS left_counter, b.m AS counter_mod_2, b.num AS right_count FROM l FULL OUTER JOIN by_count b ON l.counter = b.n;
