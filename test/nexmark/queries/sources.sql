-- The topics of the events, each as a stream and as a table.
CREATE STREAM person (
  id BIGINT KEY, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, date_time TIMESTAMP, extra VARCHAR
) WITH (kafka_topic='person', value_format='JSON', partitions=${partitions}, timestamp='date_time');
CREATE TABLE persons (
  id BIGINT PRIMARY KEY, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, date_time TIMESTAMP,
  extra VARCHAR
) WITH (kafka_topic='person', value_format='JSON', timestamp='date_time');

CREATE STREAM auction (
  id BIGINT KEY, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP,
  seller BIGINT, category BIGINT, extra VARCHAR
) WITH (kafka_topic='auction', value_format='JSON', partitions=${partitions}, timestamp='date_time');
CREATE TABLE auctions (
  id BIGINT PRIMARY KEY, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP,
  seller BIGINT, category BIGINT, extra VARCHAR
) WITH (kafka_topic='auction', value_format='JSON', timestamp='date_time');

CREATE STREAM bid (
  id BIGINT KEY, auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR
) WITH (kafka_topic='bid', value_format='JSON', partitions=${partitions}, timestamp='date_time');
CREATE TABLE bids (
  id BIGINT PRIMARY KEY, auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR
) WITH (kafka_topic='bid', value_format='JSON', timestamp='date_time');

CREATE TABLE side_input (id BIGINT PRIMARY KEY, value VARCHAR) WITH (kafka_topic='side_input', value_format='JSON', partitions=${partitions});
