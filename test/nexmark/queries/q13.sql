-- Bids with what a table of side input knows.
CREATE STREAM q13 AS
  SELECT s.id AS place, b.auction AS auction, b.bidder AS bidder, b.price AS price, b.date_time AS date_time, s.value AS value
  FROM bid b JOIN side_input s ON b.auction % 10000 = s.id;
