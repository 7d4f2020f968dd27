CREATE STREAM changes (type VARCHAR, data ARRAY<STRUCT<id INT, name VARCHAR, balance DECIMAL(10, 2), win_rate DOUBLE>>)
  WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE STREAM each_row AS SELECT type, EXPLODE(data) AS r FROM changes;
CREATE TABLE result AS
  SELECT r->id AS k, LATEST_BY_OFFSET(r->id) AS id, LATEST_BY_OFFSET(r->name) AS name, LATEST_BY_OFFSET(r->balance) AS balance,
    LATEST_BY_OFFSET(r->win_rate) AS win_rate
  FROM each_row GROUP BY r->id HAVING LATEST_BY_OFFSET(type) <> 'DELETE';
