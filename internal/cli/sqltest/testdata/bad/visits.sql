CREATE STREAM visits (who VARCHAR KEY, page VARCHAR) WITH (kafka_topic='visits', value_format='JSON');

--@test: values
INSERT INTO visits (who, page) VALUES ('ada', '/');
ASSERT VALUES visits (who, page) VALUES ('bob', '/');
ASSERT VALUES visits (who, page) VALUES ('bob', '/');

--@test: columns
ASSERT STREAM visits (who VARCHAR KEY, page INT) WITH (kafka_topic='visits', value_format='JSON');

--@test: statement
INSERT INTO visits (who, pages)
  VALUES ('ada', '/');

--@test: no error
--@expected.error: KsqlException
INSERT INTO visits (who, page) VALUES ('ada', '/');

--@test: another error
--@expected.message: no such thing
CREATE STREAM visits (x INT) WITH (kafka_topic='visits', value_format='JSON');

--@test: no assertion
--@expected.error: java.lang.AssertionError
CREATE STREAM visits (x INT) WITH (kafka_topic='visits', value_format='JSON');

--@test: a wish that is none
--@expected.error: Oops
CREATE STREAM visits (x INT) WITH (kafka_topic='visits', value_format='JSON');

--@test: left out
CREATE STREAM n AS SELECT who, CAST(page AS INT) AS n FROM visits;
INSERT INTO visits (who, page) VALUES ('ada', 'one');
ASSERT VALUES n (who, n) VALUES ('ada', 1);
