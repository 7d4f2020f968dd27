-- How many bids has each auction? Of which there are fewer than the thousand that the query is limited to.
CREATE TABLE q105_counts AS SELECT auction, COUNT(*) AS num FROM bid GROUP BY auction;
CREATE TABLE q105 AS
  SELECT a.id, AS_VALUE(a.id) AS auction, a.item_name AS item_name, c.num AS num FROM auctions a JOIN q105_counts c ON a.id = c.auction;
