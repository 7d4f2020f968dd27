-- Statements in front of the first test belong to all.
RUN SCRIPT 'schema.sql';
DEFINE least = '2';

--@test: a table counts
CREATE TABLE counts AS SELECT page, COUNT(*) AS n FROM visits GROUP BY page HAVING COUNT(*) < ${least};
INSERT INTO visits (who, page, rowtime) VALUES ('ada', '/', 7);
INSERT INTO visits (who, page) VALUES ('bob', '/');
ASSERT VALUES counts (page, n, rowtime) VALUES ('/', 1, 7);
ASSERT NULL VALUES counts (page) KEY ('/');
ASSERT TABLE counts (page VARCHAR PRIMARY KEY, n BIGINT) WITH (kafka_topic='COUNTS', value_format='PROTOBUF', partitions=1);
ASSERT STREAM visits WITH (value_format='PROTOBUF');

--@test: a query made later begins at the start, one that is replaced goes on
INSERT INTO visits (who, page) VALUES ('ada', '/');
CREATE STREAM pages AS SELECT * FROM visits;
ASSERT VALUES pages (who, page) VALUES ('ada', '/');
CREATE OR REPLACE STREAM pages AS SELECT * FROM visits WHERE page <> '/no';
INSERT INTO visits (who, page) VALUES ('ada', '/no');
INSERT INTO visits (who, page) VALUES ('ada', '/yes');
ASSERT VALUES pages (who, page) VALUES ('ada', '/yes');

--@test: windows have bounds
SET 'ksql.persistence.default.format.value'='JSON';
CREATE TABLE perday AS SELECT who, COUNT(*) AS n FROM visits WINDOW SESSION (1 MINUTE) GROUP BY who;
INSERT INTO visits (who, page, rowtime) VALUES ('ada', '/', 1000);
ASSERT VALUES perday (who, n, windowstart, windowend) VALUES ('ada', 1, 1000, 1000);

--@test: an unknown column is refused
--@expected.error: io.confluent.ksql.util.KsqlStatementException
--@expected.message: NAME
CREATE STREAM bad AS SELECT who, name FROM visits;

--@test: what is no statement
--@expected.error: io.confluent.ksql.parser.exception.ParseFailedException
CREATE STREEM bad;

--@test: a wrong assertion
--@expected.error: java.lang.AssertionError
--@expected.message: Expected record does not match actual
INSERT INTO visits (who, page) VALUES ('ada', '/');
ASSERT VALUES visits (who, page) VALUES ('ada', '/else');

--@test: a wrong type
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: Expected type does not match actual for source VISITS
ASSERT TABLE visits (who VARCHAR PRIMARY KEY, page VARCHAR) WITH (kafka_topic='visits', value_format='PROTOBUF');
