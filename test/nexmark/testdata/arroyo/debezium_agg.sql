CREATE TABLE orders AS
  SELECT COALESCE(after->id, before->id) AS id, LATEST_BY_OFFSET(after->customer_name) AS customer_name,
    LATEST_BY_OFFSET(after->product_name) AS product_name, LATEST_BY_OFFSET(after->quantity) AS quantity
  FROM orders_changes GROUP BY COALESCE(after->id, before->id) HAVING LATEST_BY_OFFSET(op) <> 'd';
CREATE TABLE customers WITH (key_format='JSON') AS
  SELECT product_name, customer_name, COUNT(*) AS n, SUM(quantity + 5) AS q FROM orders GROUP BY product_name, customer_name HAVING COUNT(*) > 0;
CREATE TABLE result AS
  SELECT 'p_' + product_name AS k, AS_VALUE('p_' + product_name) AS id, SUM(n) AS c, COUNT(*) AS d, SUM(q) + 10 AS q
  FROM customers GROUP BY 'p_' + product_name;
