CREATE TABLE result AS
  SELECT COALESCE(after->id, before->id) AS k, LATEST_BY_OFFSET(COALESCE(after->id, before->id)) AS id,
    LATEST_BY_OFFSET(after->customer_name) AS customer_name, LATEST_BY_OFFSET(after->product_name) AS product_name,
    LATEST_BY_OFFSET(after->quantity) AS quantity, LATEST_BY_OFFSET(after->price) AS price,
    LATEST_BY_OFFSET(after->order_date / 1000000) AS order_date, LATEST_BY_OFFSET(after->status) AS status
  FROM orders_changes GROUP BY COALESCE(after->id, before->id) HAVING LATEST_BY_OFFSET(op) <> 'd';
