CREATE STREAM changes (type VARCHAR, data ARRAY<STRUCT<v1 INT, v2 INT>>) WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE STREAM each_row AS SELECT type, EXPLODE(data) AS r FROM changes;
CREATE STREAM result AS SELECT type, r->v1 AS v1, r->v2 AS v2 FROM each_row;
