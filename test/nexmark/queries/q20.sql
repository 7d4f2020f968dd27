-- Bids with their auctions of category 10. A bid may come before its auction.
CREATE TABLE q20 AS
  SELECT b.id, b.auction AS auction, b.bidder AS bidder, b.price AS price, b.channel AS channel, b.url AS url, b.date_time AS bid_time,
    b.extra AS bid_extra, a.item_name AS item_name, a.description AS description, a.initial_bid AS initial_bid, a.reserve AS reserve,
    a.date_time AS auction_time, a.expires AS expires, a.seller AS seller, a.category AS category, a.extra AS auction_extra
  FROM bids b JOIN auctions a ON b.auction = a.id
  WHERE a.category = 10;
