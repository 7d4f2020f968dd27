SELECT auction, price, bidder, date_time
FROM (SELECT *, MAX(price) OVER (PARTITION BY floor(extract(epoch FROM date_time) / 10)) AS highest FROM bid) AS b
WHERE price = highest
