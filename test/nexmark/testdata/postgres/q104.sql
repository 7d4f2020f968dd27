SELECT id, item_name FROM auction WHERE id NOT IN (SELECT auction FROM bid GROUP BY auction HAVING COUNT(*) < 20)
