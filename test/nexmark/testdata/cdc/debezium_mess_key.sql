CREATE STREAM changes (after STRUCT<order_id INT, order_date TIMESTAMP, customer_name VARCHAR, price DECIMAL(9, 2), product_id INT>)
  WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE TABLE result AS
  SELECT after->order_id AS k, LATEST_BY_OFFSET(after->order_id) AS order_id, LATEST_BY_OFFSET(after->order_date, false) AS order_date,
    LATEST_BY_OFFSET(after->customer_name, false) AS customer_name, LATEST_BY_OFFSET(after->price, false) AS price,
    LATEST_BY_OFFSET(after->product_id, false) AS product_id
  FROM changes GROUP BY after->order_id;
