CREATE TABLE counts AS SELECT subtask_index, COUNT(*) AS n FROM impulse GROUP BY subtask_index HAVING COUNT(*) > 10;
CREATE TABLE result AS SELECT 1 AS k, COUNT(*) AS subtasks FROM counts GROUP BY 1;
