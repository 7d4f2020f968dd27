SELECT a.id, a.item_name, COUNT(*) FROM auction a JOIN bid b ON a.id = b.auction GROUP BY a.id, a.item_name
