CREATE STREAM changes (after VARCHAR) WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE STREAM result AS
  SELECT CAST(EXTRACTJSONFIELD(after, '$._id.$numberLong') AS BIGINT) AS id, EXTRACTJSONFIELD(after, '$.first_name') AS first_name,
    EXTRACTJSONFIELD(after, '$.last_name') AS last_name, EXTRACTJSONFIELD(after, '$.email') AS email
  FROM changes;
