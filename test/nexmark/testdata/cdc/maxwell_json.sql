CREATE STREAM changes (type VARCHAR, data STRUCT<id INT, name VARCHAR, is_adult INT, birthday VARCHAR>)
  WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE TABLE result AS
  SELECT data->id AS k, LATEST_BY_OFFSET(data->id) AS id, LATEST_BY_OFFSET(data->name) AS name, LATEST_BY_OFFSET(data->is_adult) AS is_adult,
    LATEST_BY_OFFSET(data->birthday) AS birthday
  FROM changes GROUP BY data->id HAVING LATEST_BY_OFFSET(type) <> 'delete';
