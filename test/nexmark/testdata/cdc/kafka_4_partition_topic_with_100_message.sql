CREATE STREAM messages (v1 INT, v2 VARCHAR, v3 ARRAY<BIGINT>, v4 STRUCT<v5 INT, v6 INT>) WITH (kafka_topic='changes', value_format='JSON', partitions=4);
CREATE STREAM result AS SELECT v1, v2, v3[1] AS first, v3[-1] AS last, ARRAY_LENGTH(v3) AS length, v4->v5 AS v5, v4->v6 AS v6 FROM messages;
