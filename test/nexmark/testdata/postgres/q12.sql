SELECT bidder, COUNT(*), slot * 10000, slot * 10000 + 10000
FROM (SELECT bidder, floor(extract(epoch FROM date_time) / 10)::bigint AS slot FROM bid) AS b
GROUP BY bidder, slot
