CREATE STREAM cars (timestamp VARCHAR, driver_id BIGINT, event_type VARCHAR, location VARCHAR)
  WITH (kafka_topic='cars', value_format='JSON', partitions=1, timestamp='timestamp', timestamp_format='yyyy-MM-dd''T''HH:mm:ssX');
CREATE STREAM impulse (timestamp VARCHAR, counter BIGINT, subtask_index BIGINT)
  WITH (kafka_topic='impulse', value_format='JSON', partitions=1, timestamp='timestamp', timestamp_format='yyyy-MM-dd''T''HH:mm:ss[.SSS]xxx');
CREATE TYPE orders_row AS STRUCT<id BIGINT, customer_name VARCHAR, product_name VARCHAR, quantity BIGINT, price DOUBLE, order_date BIGINT, status VARCHAR>;
CREATE STREAM orders_changes (before orders_row, after orders_row, op VARCHAR) WITH (kafka_topic='orders', value_format='JSON', partitions=1);
