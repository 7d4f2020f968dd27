-- Bids with their auctions and the sellers of these.
CREATE TABLE q23_sold AS
  SELECT b.id, b.price AS price, a.id AS auction, a.item_name AS item_name, a.seller AS seller FROM bids b JOIN auctions a ON b.auction = a.id;
CREATE TABLE q23 AS
  SELECT s.b_id, s.auction AS auction, s.item_name AS item_name, s.price AS price, p.name AS name, p.city AS city
  FROM q23_sold s JOIN persons p ON s.seller = p.id;
