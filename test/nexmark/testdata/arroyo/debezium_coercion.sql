CREATE STREAM result AS SELECT counter FROM impulse;
