CREATE STREAM changes (payload STRUCT<after STRUCT<l_orderkey BIGINT, l_linenumber INT, l_quantity DECIMAL(9, 1), l_shipdate VARCHAR, l_comment VARCHAR>>)
  WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE STREAM result AS
  SELECT payload->after->l_orderkey AS l_orderkey, payload->after->l_linenumber AS l_linenumber, payload->after->l_quantity AS l_quantity,
    payload->after->l_shipdate AS l_shipdate, payload->after->l_comment AS l_comment
  FROM changes;
