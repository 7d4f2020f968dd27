SELECT DISTINCT p.id, p.name, date_bin('10 seconds', p.date_time, '1970-01-01')
FROM person p JOIN auction a ON p.id = a.seller
WHERE date_bin('10 seconds', p.date_time, '1970-01-01') = date_bin('10 seconds', a.date_time, '1970-01-01')
