CREATE TABLE counts AS SELECT driver_id, COUNT(*) AS n FROM cars GROUP BY driver_id;
CREATE TABLE result AS SELECT 1 AS k, SUM(CASE WHEN n > 85 THEN 1 ELSE 0 END) AS drivers FROM counts GROUP BY 1;
