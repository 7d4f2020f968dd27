-- Auctions that are not among those with fewer than 20 bids: many bids, or none.
CREATE TABLE q104_counts AS SELECT auction, COUNT(*) AS num FROM bid GROUP BY auction;
CREATE TABLE q104 AS
  SELECT a.id, AS_VALUE(a.id) AS auction, a.item_name AS item_name
  FROM auctions a LEFT JOIN q104_counts c ON a.id = c.auction
  WHERE c.num IS NULL OR c.num >= 20;
