SELECT auction, bidder, price, date_time, to_char(date_time, 'YYYY-MM-DD'), to_char(date_time, 'HH12:MI') FROM bid
