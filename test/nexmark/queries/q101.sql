-- Auctions with their highest bids, if any.
CREATE TABLE q101_highest AS SELECT auction, MAX(price) AS price FROM bid GROUP BY auction;
CREATE TABLE q101 AS
  SELECT a.id, AS_VALUE(a.id) AS auction, a.item_name AS item_name, h.price AS price FROM auctions a LEFT JOIN q101_highest h ON a.id = h.auction;
