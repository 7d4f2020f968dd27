CREATE STREAM visits (who VARCHAR KEY, page VARCHAR, ms INT, price DECIMAL(6, 2)) WITH (kafka_topic='visits', value_format='JSON');
CREATE STREAM slow WITH (value_format='AVRO') AS SELECT who, page, ms, price, CAST(ms AS DOUBLE) / 1000 AS s FROM visits WHERE ms > 100;
CREATE STREAM lines WITH (value_format='DELIMITED') AS SELECT who, page, ms FROM slow;
