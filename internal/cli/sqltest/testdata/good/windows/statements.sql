CREATE STREAM clicks (who VARCHAR KEY, n INT) WITH (kafka_topic='clicks', value_format='JSON');
CREATE TABLE per_minute AS SELECT who, SUM(n) AS total FROM clicks WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY who;
CREATE STREAM again (who VARCHAR KEY, total INT) WITH (kafka_topic='PER_MINUTE', value_format='JSON', window_type='TUMBLING', window_size='1 MINUTE');
