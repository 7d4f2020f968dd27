CREATE STREAM payments (id VARCHAR KEY, card VARCHAR, amount DECIMAL(10, 2), loc STRUCT<lat DOUBLE, lon DOUBLE>)
  WITH (kafka_topic='payments', value_format='JSON', partitions=1);

--@test: a scalar function
CREATE STREAM masked AS SELECT id, masked(card) AS card, fee(amount) AS fee FROM payments;
INSERT INTO payments (id, card, amount) VALUES ('a', '4111111111111111', 100.00);
INSERT INTO payments (id, card, amount) VALUES ('b', '42', 10.00);
INSERT INTO payments (id, card, amount) VALUES ('c', NULL, NULL);
ASSERT VALUES masked (id, card, fee) VALUES ('a', '************1111', 1.50);
ASSERT VALUES masked (id, card, fee) VALUES ('b', NULL, 0.15);
ASSERT VALUES masked (id, card, fee) VALUES ('c', NULL, NULL);

--@test: an aggregate
CREATE TABLE means AS SELECT card, geo_mean(CAST(amount AS DOUBLE)) AS mean FROM payments GROUP BY card;
INSERT INTO payments (id, card, amount) VALUES ('a', 'x', 2.00);
INSERT INTO payments (id, card, amount) VALUES ('b', 'x', -1.00);
INSERT INTO payments (id, card, amount) VALUES ('c', 'x', 8.00);
ASSERT VALUES means (card, mean) VALUES ('x', 2.0);
ASSERT VALUES means (card, mean) VALUES ('x', 2.0);
ASSERT VALUES means (card, mean) VALUES ('x', 4.0);

--@test: a table function
CREATE STREAM digits AS SELECT id, digits(card) AS digit FROM payments;
INSERT INTO payments (id, card) VALUES ('a', '402');
INSERT INTO payments (id, card) VALUES ('b', NULL);
INSERT INTO payments (id, card) VALUES ('c', '7');
ASSERT VALUES digits (id, digit) VALUES ('a', 4);
ASSERT VALUES digits (id, digit) VALUES ('a', 0);
ASSERT VALUES digits (id, digit) VALUES ('a', 2);
ASSERT VALUES digits (id, digit) VALUES ('c', 7);

--@test: a structure
CREATE STREAM places AS SELECT id, hemisphere(loc) AS half FROM payments;
INSERT INTO payments (id, loc) VALUES ('a', STRUCT(lat := 52.5, lon := 13.4));
INSERT INTO payments (id, loc) VALUES ('b', STRUCT(lat := -33.9, lon := 151.2));
ASSERT VALUES places (id, half) VALUES ('a', 'NORTH');
ASSERT VALUES places (id, half) VALUES ('b', 'SOUTH');
