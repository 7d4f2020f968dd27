// Package join holds the steps that put rows of two inputs with the same key together: streams within a window of time, a stream with a
// table, tables.
//
// The DSL makes their Specs, package task the instances; they keep their rows in operator.States. Inputs are Slots of a node: the left
// one is slot 0. Ownership and order are as in package operator.
//
// What a step remembers, its times included, stands in its tables and their marks, so that the results are the same after a restart
// between any two rows. What keys and values of the tables look like is said at the types that write them (window, waiting, heldJoin).
//
// Foreign keys, and the move of rows to the partition of a key, are not here.
package join
