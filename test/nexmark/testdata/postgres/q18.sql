SELECT DISTINCT ON (auction, bidder) auction, bidder, price, channel, url, date_time, extra
FROM bid ORDER BY auction, bidder, date_time DESC, number DESC
