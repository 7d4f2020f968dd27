CREATE STREAM result AS SELECT EXPLODE(ARRAY[counter]) AS counter FROM impulse;
