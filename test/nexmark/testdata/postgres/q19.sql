SELECT auction, bidder, price, channel, url, date_time, extra, place
FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, number) AS place FROM bid) AS b
WHERE place <= 10
