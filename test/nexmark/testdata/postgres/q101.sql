SELECT a.id, a.item_name, MAX(b.price) FROM auction a LEFT JOIN bid b ON a.id = b.auction GROUP BY a.id, a.item_name
