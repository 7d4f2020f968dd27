SELECT DISTINCT ON (a.id) a.id, item_name, description, initial_bid, reserve, a.date_time, expires, seller, category, b.auction, b.bidder, b.price,
  b.date_time
FROM auction a JOIN bid b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
ORDER BY a.id, b.price DESC, b.date_time, b.number
