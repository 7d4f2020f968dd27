CREATE TABLE l AS SELECT counter, COUNT(*) AS n FROM impulse WHERE counter < 3 GROUP BY counter;
CREATE TABLE r AS SELECT counter % 2 AS k, AS_VALUE(counter % 2) AS m, COUNT(*) AS n FROM impulse WHERE counter < 3 GROUP BY counter % 2;
CREATE TABLE result AS
  SELECT r.k, AS_VALUE(l.counter) AS left_counter, r.m AS counter_mod_2, r.n AS right_count FROM r LEFT JOIN l ON r.n = l.counter;
