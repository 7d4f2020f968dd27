-- Two payment channels become one stream of common payments, and that the last five payments of each customer, newest first.
DEFINE form = 'yyyy-MM-dd''T''HH:mm:ss.SSS';

CREATE STREAM cards (k VARCHAR KEY, trxId BIGINT, trxAmount DECIMAL(18, 2), cardNo VARCHAR, cardHolder VARCHAR, issuer VARCHAR,
    currency VARCHAR, customerId BIGINT, trxDate VARCHAR) WITH (KAFKA_TOPIC = 'CC-PAYMENT', VALUE_FORMAT = 'JSON', PARTITIONS = 4, RETENTION_MS = -1);
CREATE STREAM transfers (k VARCHAR KEY, trxId BIGINT, trxAmount DECIMAL(18, 2), accountNo VARCHAR, accountName VARCHAR, bankName VARCHAR,
    referenceNo VARCHAR, currency VARCHAR, customerId BIGINT, trxDate VARCHAR)
  WITH (KAFKA_TOPIC = 'BANK-TRANSFER-PAYMENT', VALUE_FORMAT = 'JSON', PARTITIONS = 4, RETENTION_MS = -1);

CREATE STREAM payments WITH (KAFKA_TOPIC = 'PAYMENT-OUTPUT', VALUE_FORMAT = 'JSON', RETENTION_MS = -1) AS
  SELECT CASE WHEN k IS NULL OR INSTR(REGEXP_REPLACE(k, '[^0-9]', ''), cardNo) > 0 THEN CAST(customerId AS VARCHAR) ELSE k END AS k,
    trxId AS `trxId`, trxAmount AS `trxAmount`, customerId AS `customerId`, trxDate AS `trxDate`, 'CC' AS `paymentType`,
    CASE WHEN REGEXP_EXTRACT('^[0-9]{11,}$', cardNo) IS NULL THEN LPAD('', LEN(cardNo), '*')
      ELSE CONCAT(SUBSTRING(cardNo, 1, 6), LPAD('', LEN(cardNo) - 10, '*'), SUBSTRING(cardNo, -4)) END AS `accountNo`,
    cardHolder AS `accountName`, issuer AS `bankName`, '' AS `referenceNo`, COALESCE(NULLIF(currency, ''), 'IDR') AS `currency`
  FROM cards
  PARTITION BY CASE WHEN k IS NULL OR INSTR(REGEXP_REPLACE(k, '[^0-9]', ''), cardNo) > 0 THEN CAST(customerId AS VARCHAR) ELSE k END;
INSERT INTO payments SELECT k, trxId AS `trxId`, trxAmount AS `trxAmount`, customerId AS `customerId`, trxDate AS `trxDate`,
    'BANK_TRF' AS `paymentType`, accountNo AS `accountNo`, accountName AS `accountName`, bankName AS `bankName`,
    referenceNo AS `referenceNo`, currency AS `currency` FROM transfers;

-- The ten newest payments, without redeliveries (equal in all fields), cut to five. What has no id, amount or date is in no list.
CREATE TABLE last_five WITH (KAFKA_TOPIC = 'PAYMENT-TRX-AGGR', KEY_FORMAT = 'KAFKA', VALUE_FORMAT = 'JSON') AS
  SELECT `customerId` AS customer, AS_VALUE(`customerId`) AS `customerId`, TRANSFORM(ARRAY[ARRAY_DISTINCT(TOPK(`trxDate`,
    STRUCT(`trxId` := `trxId`, `trxAmount` := `trxAmount`, `customerId` := `customerId`, `trxDate` := `trxDate`, `paymentType` := `paymentType`,
      `accountNo` := `accountNo`, `accountName` := `accountName`, `bankName` := `bankName`, `referenceNo` := `referenceNo`,
      `currency` := `currency`), 10))], newest => TRANSFORM(SLICE(newest, 1, LEAST(5, ARRAY_LENGTH(newest))), p => p->`col0`))[1] AS `payments`
  FROM payments WHERE `trxId` IS NOT NULL AND `trxAmount` IS NOT NULL AND `paymentType` IS NOT NULL
    AND FORMAT_TIMESTAMP(PARSE_TIMESTAMP(`trxDate`, '${form}'), '${form}') = `trxDate`
  GROUP BY `customerId`;
