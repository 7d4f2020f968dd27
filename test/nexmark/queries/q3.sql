-- Who sells in category 10 in Oregon, Idaho and California? An auction may come before its seller.
CREATE TABLE q3 AS
  SELECT a.id, p.name, p.city, p.state, AS_VALUE(a.id) AS auction
  FROM auctions a JOIN persons p ON a.seller = p.id
  WHERE a.category = 10 AND p.state IN ('or', 'id', 'ca');
