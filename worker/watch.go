package worker

import (
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/view"
)

// An Event is something that happened to a worker: one of the types below, of which more may come.
type Event = engine.Notice

// The events: a change of the state; the beginning and the end of a store's restoring; a restart because the brokers were away; what was
// decided about a record that failed.
type (
	StateChange  = engine.StateChange
	RestoreBegin = engine.RestoreBegin
	RestoreEnd   = engine.RestoreEnd
	Retry        = engine.Retry
	BadRecord    = engine.BadRecord
)

// A State is where a worker stands; String gives it as a word.
type State = engine.State

// The states in the order of a life.
const (
	Stopped   = engine.StateStopped
	Starting  = engine.StateStarting
	Restoring = engine.StateRestoring
	Running   = engine.StateRunning
	Failed    = engine.StateFailed
	Paused    = engine.StatePaused
)

// A Status is what can be said of a worker: its state, counts, drops by reason, times of commits, and the figures of its tasks, steps and
// stores.
type Status = engine.Status

// Status returns the figures now.
func (w *Worker) Status() Status { return w.engine.Status() }

// Pause has the worker take no more records and make no scheduled calls until Resume; what was taken is committed, and its place among the
// workers of the application stays. It lasts until the process ends.
func (w *Worker) Pause() { w.engine.Pause() }

// Resume ends Pause.
func (w *Worker) Resume() { w.engine.Resume() }

// Tables lets the tables and stores be read that are in this process: see package view.
func (w *Worker) Tables() view.Source { return view.Over(w.engine) }
