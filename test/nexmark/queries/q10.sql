-- Bids with day and time, as for files by these.
CREATE STREAM q10 AS
  SELECT id, auction, bidder, price, date_time, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day, FORMAT_TIMESTAMP(date_time, 'hh:mm') AS minute
  FROM bid;
