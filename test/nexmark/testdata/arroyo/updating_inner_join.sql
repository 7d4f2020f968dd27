CREATE TABLE l AS SELECT counter, COUNT(*) AS n FROM impulse GROUP BY counter;
CREATE TABLE r AS SELECT counter, COUNT(*) AS n FROM impulse WHERE counter % 2 = 1 GROUP BY counter;
CREATE TABLE result AS SELECT l.counter, AS_VALUE(l.counter) AS left_count, AS_VALUE(r.counter) AS right_count FROM l JOIN r ON l.counter = r.counter;
