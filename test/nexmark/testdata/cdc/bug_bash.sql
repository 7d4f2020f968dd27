CREATE STREAM changes (payload STRUCT<after STRUCT<c_id INT, c_d_id INT, c_w_id INT, c_first VARCHAR, c_last VARCHAR, c_credit_lim DOUBLE>>)
  WITH (kafka_topic='changes', value_format='JSON', partitions=1);
CREATE STREAM result AS
  SELECT payload->after->c_id AS c_id, payload->after->c_d_id AS c_d_id, payload->after->c_w_id AS c_w_id, payload->after->c_first AS c_first,
    payload->after->c_last AS c_last, payload->after->c_credit_lim AS c_credit_lim
  FROM changes;
