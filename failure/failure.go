// Package failure is what a program knows about a record that cannot be processed, and what it may decide about it.
//
// Programs give a Handler to package worker, to a node's pipeline or to streamtest; package task asks it. It calls nobody.
//
// A Handler belongs to the loop that processes records: it is called from one goroutine at a time and should return at once. It is asked
// once for a record and step as long as the process lives, and again after a restart if the record was not consumed by then.
//
// A record that fails is undone first: stores, outputs and times are as before it, whatever it had already done. Then the Decision counts.
//
// Dead-letter topics and their format are not here: see docs/streams.md.
package failure

import "github.com/mainstemio/mainstem/record"

// A Phase says where a record failed.
type Phase uint8

// The phases.
const (
	// Decode: its source could not read it, or its time; no step has seen it.
	Decode Phase = iota
	// Process: a step's function returned an error or panicked, or a table could not take it.
	Process
	// Produce: a step that writes a topic could not encode what follows from it, found it too large, or found no such topic or partition.
	Produce
)

// String returns the phase in a word.
func (p Phase) String() string { return [...]string{"decode", "process", "produce"}[p] }

// A Record is an input record that failed.
type Record struct {
	// Record is the record as it was read. Where workers share the application it may be one of a repartition topic. Key, Value and Headers
	// are nil, and Timestamp is record.NoTimestamp, for a record that was consumed before one of its held updates failed (see the cache
	// options). Nothing in it may be changed.
	record.Record
	Phase Phase
	// Step is the name of the step that failed, Reason a sentence without anything from the record, fit for logs. Cause is what happened: its
	// text may quote the record.
	Step   string
	Reason string
	Cause  error
}

// A Decision says what becomes of a failed record.
type Decision uint8

// The decisions.
const (
	// Stop ends processing with an error that names the record; the record and those behind it stay unconsumed.
	Stop Decision = iota
	// DeadLetter sends the record as it was read to the dead-letter topic, with what is known in headers, and goes on.
	DeadLetter
	// Continue leaves the record out, counts it, and goes on.
	Continue
	// LeaveOut, in the phase Produce, leaves out only the output that cannot be written, and counts it: whatever else follows from the record
	// stays. In other phases it is Continue.
	LeaveOut
)

// A Handler decides about a failed record.
type Handler func(Record) Decision

// Always is the Handler that decides the same about all records.
func Always(d Decision) Handler { return func(Record) Decision { return d } }
