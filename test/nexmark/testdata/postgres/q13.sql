SELECT auction, bidder, price, date_time, 'side ' || auction % 10000 FROM bid
