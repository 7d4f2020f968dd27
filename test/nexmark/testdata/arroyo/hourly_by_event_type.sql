CREATE TABLE result AS
  SELECT event_type AS k, AS_VALUE(event_type) AS event_type, WINDOWSTART AS hour, COUNT(*) AS count
  FROM cars WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY event_type;
