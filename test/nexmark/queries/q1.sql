-- Prices in euros.
CREATE STREAM q1 AS SELECT id, auction, bidder, 0.908 * price AS price, date_time FROM bid;
