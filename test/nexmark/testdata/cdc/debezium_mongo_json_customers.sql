CREATE STREAM changes (payload STRUCT<after VARCHAR>) WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE STREAM result AS
  SELECT CAST(EXTRACTJSONFIELD(payload->after, '$._id.$numberLong') AS BIGINT) AS id, EXTRACTJSONFIELD(payload->after, '$.first_name') AS first_name,
    EXTRACTJSONFIELD(payload->after, '$.last_name') AS last_name, EXTRACTJSONFIELD(payload->after, '$.email') AS email
  FROM changes;
