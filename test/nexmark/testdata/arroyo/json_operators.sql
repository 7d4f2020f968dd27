CREATE STREAM texts (json VARCHAR) WITH (kafka_topic='cars', value_format='KAFKA');
CREATE STREAM result WITH (value_format='JSON') AS
  SELECT EXTRACTJSONFIELD('{"a":"test"}', '$.a') AS a, EXTRACTJSONFIELD(json, '$.driver_id') AS b,
    TO_JSON_STRING(EXTRACTJSONFIELD(json, '$.event_type')) AS c, TO_JSON_STRING(EXTRACTJSONFIELD(json, '$.nothing')) AS d
  FROM texts;
