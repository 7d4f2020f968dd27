// Package process runs what users write by hand: processors with their stores and punctuations, and calls to the outside.
//
// The DSL makes the Specs; package task makes the instances, one per node and task, and drives the task's Scheduler: Begin once, then
// AfterRow behind every record and Wall when time has passed. Stores lie in operator.State.
//
// Everything of a task belongs to its Set's goroutine and takes no locks; only the calls of MapAsync run elsewhere, through the Env, which
// waits for them.
//
// A task with processors takes its rows one at a time, each to the end, so that stream time is exact and punctuations come between
// rows. Stream time and schedules are kept in a table of the task's own ("<first processor>-time"): rows "<node>/<number>" with the
// time of the next call, and the stream time as its mark.
//
// The interfaces of processors and stores are in packages processor and state, not here; goroutines and clocks are in package engine.
package process
