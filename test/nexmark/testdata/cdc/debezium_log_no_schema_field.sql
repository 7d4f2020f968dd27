CREATE TYPE customer AS STRUCT<id BIGINT, first_name VARCHAR, last_name VARCHAR, email VARCHAR>;
CREATE STREAM changes (before customer, after customer, op VARCHAR) WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE TABLE result AS
  SELECT COALESCE(after->id, before->id) AS k, LATEST_BY_OFFSET(COALESCE(after->id, before->id)) AS id,
    LATEST_BY_OFFSET(after->first_name) AS first_name, LATEST_BY_OFFSET(after->last_name) AS last_name, LATEST_BY_OFFSET(after->email) AS email
  FROM changes GROUP BY COALESCE(after->id, before->id) HAVING LATEST_BY_OFFSET(op) <> 'd';
