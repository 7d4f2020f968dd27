// Package table holds the steps on tables: from a stream or several, filter, map, keep, aggregate, regroup.
//
// The DSL makes their Specs, package task the instances; they keep their rows in an operator.State. Ownership and order are as in
// package operator.
//
// Aggregates over windows, joins and suppression are not here.
package table
