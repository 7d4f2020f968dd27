CREATE TABLE people (k STRUCT<id INT> PRIMARY KEY, id INT, firstName VARCHAR, lastName VARCHAR, age INT, height DOUBLE, weight INT)
  WITH (kafka_topic='changes', format='JSON', partitions=1);
CREATE TABLE result AS SELECT k, id, firstName, lastName, age, height, weight FROM people;
