CREATE STREAM visits (who VARCHAR KEY, page VARCHAR) WITH (kafka_topic='visits', value_format='PROTOBUF');
