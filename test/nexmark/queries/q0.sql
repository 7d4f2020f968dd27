-- Pass through.
CREATE STREAM q0 AS SELECT id, auction, bidder, price, date_time FROM bid;
