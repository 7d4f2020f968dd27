-- Auctions with at least 20 bids.
CREATE TABLE q103_many AS SELECT auction, COUNT(*) AS num FROM bid GROUP BY auction HAVING COUNT(*) >= 20;
CREATE TABLE q103 AS
  SELECT a.id, AS_VALUE(a.id) AS auction, a.item_name AS item_name FROM auctions a JOIN q103_many m ON a.id = m.auction;
