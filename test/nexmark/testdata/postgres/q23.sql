SELECT a.id, a.item_name, b.price, p.name, p.city FROM bid b JOIN auction a ON b.auction = a.id JOIN person p ON a.seller = p.id
