-- The ten highest bids of each auction, as an array.
CREATE TABLE q19 AS
  SELECT auction, AS_VALUE(auction) AS id,
    TRANSFORM(TOPK(price, bidder, channel, url, date_time, extra, 10), b => STRUCT(
      bidder := b->`col0`, price := b->`sort_col`, channel := b->`col1`, url := b->`col2`, date_time := b->`col3`, extra := b->`col4`)) AS top
  FROM bid GROUP BY auction;
