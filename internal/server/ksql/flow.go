package ksql

import (
	"net/http"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
)

// patience is how long a client may take to read a piece of an answer.
const patience = 10 * time.Second

// pieceBytes is when a piece is sent before its batch is complete.
const pieceBytes = 64 << 10

// A flow writes an answer that comes in pieces.
type flow struct {
	out     http.ResponseWriter
	control *http.ResponseController
	clock   clock.Clock
	buf     []byte // what was not sent yet
}

func newFlow(w http.ResponseWriter, c clock.Clock) *flow {
	return &flow{out: w, control: http.NewResponseController(w), clock: c}
}

// write sends the buffer without waiting for the client to have it.
func (f *flow) write() error {
	if err := f.control.SetWriteDeadline(f.clock.Now().Add(patience)); err != nil {
		return err
	}
	_, err := f.out.Write(f.buf)
	f.buf = f.buf[:0]
	return err
}

// send sends the buffer. Until the next piece there is no time limit.
func (f *flow) send() error {
	if err := f.write(); err != nil {
		return err
	}
	if err := f.control.Flush(); err != nil {
		return err
	}
	return f.control.SetWriteDeadline(time.Time{})
}
