-- Run by `mainstem test`: what the statements of payments.sql make of a few records.
RUN SCRIPT '../payments.sql';

--@test: a card payment becomes a common payment, its number masked
INSERT INTO cards (k, trxId, trxAmount, cardNo, cardHolder, issuer, customerId, trxDate)
  VALUES ('k1', 1, 12.5, '4556015984510717', 'Diana', 'ANZ', 7, '2018-08-01T01:01:15.000');
ASSERT VALUES payments (k, `trxId`, `trxAmount`, `customerId`, `trxDate`, `paymentType`, `accountNo`, `accountName`, `bankName`, `referenceNo`, `currency`)
  VALUES ('k1', 1, 12.50, 7, '2018-08-01T01:01:15.000', 'CC', '455601******0717', 'Diana', 'ANZ', '', 'IDR');

--@test: a number that is none, or too short to hide, is masked wholly
INSERT INTO cards (k, trxId, trxAmount, cardNo, currency, customerId, trxDate) VALUES ('k1', 1, 1, '1234567890', 'AUD', 7, '2018-08-01T01:01:15.000');
INSERT INTO cards (k, trxId, trxAmount, cardNo, currency, customerId, trxDate) VALUES ('k1', 2, 1, '4556-0159-8451', 'AUD', 7, '2018-08-01T01:01:15.000');
ASSERT VALUES payments (k, `trxId`, `trxAmount`, `customerId`, `trxDate`, `paymentType`, `accountNo`, `referenceNo`, `currency`)
  VALUES ('k1', 1, 1, 7, '2018-08-01T01:01:15.000', 'CC', '**********', '', 'AUD');
ASSERT VALUES payments (k, `trxId`, `trxAmount`, `customerId`, `trxDate`, `paymentType`, `accountNo`, `referenceNo`, `currency`)
  VALUES ('k1', 2, 1, 7, '2018-08-01T01:01:15.000', 'CC', '**************', '', 'AUD');

--@test: a card number does not leave in the key, and no payment leaves without one
INSERT INTO cards (k, trxId, trxAmount, cardNo, currency, customerId, trxDate)
  VALUES ('card 4556 0159 8451 0717', 1, 1, '4556015984510717', 'AUD', 7, '2018-08-01T01:01:15.000');
INSERT INTO cards (trxId, trxAmount, cardNo, currency, customerId, trxDate) VALUES (2, 1, '4556015984510717', 'AUD', 8, '2018-08-01T01:01:15.000');
ASSERT VALUES payments (k, `trxId`, `trxAmount`, `customerId`, `trxDate`, `paymentType`, `accountNo`, `referenceNo`, `currency`)
  VALUES ('7', 1, 1, 7, '2018-08-01T01:01:15.000', 'CC', '455601******0717', '', 'AUD');
ASSERT VALUES payments (k, `trxId`, `trxAmount`, `customerId`, `trxDate`, `paymentType`, `accountNo`, `referenceNo`, `currency`)
  VALUES ('8', 2, 1, 8, '2018-08-01T01:01:15.000', 'CC', '455601******0717', '', 'AUD');

--@test: the lists are those that the Customer Service reads
ASSERT TABLE last_five WITH (KAFKA_TOPIC = 'PAYMENT-TRX-AGGR', KEY_FORMAT = 'KAFKA', VALUE_FORMAT = 'JSON');

--@test: a date that does not exist, or has another form, is in no list
INSERT INTO transfers (k, trxId, trxAmount, accountNo, customerId, trxDate) VALUES ('a', 1, 1, '9', 7, '2018-02-30T00:00:00.000');
INSERT INTO transfers (k, trxId, trxAmount, accountNo, customerId, trxDate) VALUES ('b', 2, 1, '9', 7, '2018-02-03');
INSERT INTO transfers (k, trxId, trxAmount, accountNo, customerId, trxDate) VALUES ('c', 3, 1, '9', 8, '2018-02-03T00:00:00.000');
ASSERT VALUES last_five (customer, `customerId`, `payments`) VALUES (8, 8, ARRAY[STRUCT(`trxId` := 3, `trxAmount` := CAST(1 AS DECIMAL(18, 2)),
  `customerId` := 8, `trxDate` := '2018-02-03T00:00:00.000', `paymentType` := 'BANK_TRF', `accountNo` := '9', `accountName` := CAST(NULL AS VARCHAR),
  `bankName` := CAST(NULL AS VARCHAR), `referenceNo` := CAST(NULL AS VARCHAR), `currency` := CAST(NULL AS VARCHAR))]);
