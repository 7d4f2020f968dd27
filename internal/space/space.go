// Package space watches the free bytes of a directory's disk, so that writing ends while there is still room for what makes room:
// deleting, retention, checkpoints, the ends of transactions.
//
// The broker's sequencer and the engine's checkpoints call it; it calls vfs.
//
// A Watch belongs to one goroutine and takes the time as an argument; Status may be asked for by any.
//
// States: room ⇄ low. It is low once taking what is asked for would leave less than the minimum, and has room again when a quarter
// of the minimum more is free, so that it does not flap.
//
// Not here: what is refused while the disk is low, and with which error.
package space

import (
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// interval is how long an answer of the file system is believed: others write to the disk, too. Healing takes as long at most.
const interval = 500 * time.Millisecond

// Options of New.
type Options struct {
	FS  vfs.FS
	Dir string
	// MinFree is how many bytes have to stay free; 0: Reserve of the disk's size, negative: nothing is watched.
	MinFree int64
	// Changed is told, in the Watch's goroutine, when the disk becomes low and when it has room again.
	Changed func(Status)
}

// Status is what was found last.
type Status struct {
	Dir                  string
	Low                  bool
	Free, Total, MinFree int64 // bytes; Total is 0 where the file system does not tell
}

// A Watch decides whether more may be written.
type Watch struct {
	o       Options
	off     bool
	looked  bool
	at      time.Duration // of the last look
	credit  int64         // bytes that may be taken before the next look
	current Status
	shown   atomic.Pointer[Status]
}

// New returns a watch of o.Dir, which exists.
func New(o Options) *Watch {
	w := &Watch{o: o, off: o.MinFree < 0}
	w.current.Dir = o.Dir
	w.shown.Store(&Status{Dir: o.Dir})
	return w
}

// Sizes of the default reserve in bytes: as a part of the disk, it lies between two bounds, and small disks give an eighth.
const (
	leastReserve = 256 << 20
	mostReserve  = 1 << 30
)

// Reserve is the default minimum of free bytes on a disk of that size: 2 %, at least 256 MiB and at most 1 GiB, and never more
// than an eighth of the disk.
func Reserve(total int64) int64 {
	return min(max(leastReserve, min(total/50, mostReserve)), total/8)
}

// Take asks for n bytes at now (monotonic) and reports whether there is room for them.
func (w *Watch) Take(now time.Duration, n int64) bool {
	if w.off {
		return true
	}
	if !w.looked || now-w.at >= interval || (n > w.credit && !w.current.Low) {
		w.look(now, n)
	}
	if w.current.Low {
		return false
	}
	w.credit -= n
	return true
}

// Next tells when to call Tick: while the disk is low, somebody has to see that it has room again.
func (w *Watch) Next() (at time.Duration, ok bool) {
	return w.at + interval, w.current.Low
}

// Tick looks again when it is time.
func (w *Watch) Tick(now time.Duration) {
	if at, ok := w.Next(); ok && now >= at {
		w.look(now, 0)
	}
}

// Status is what the last look found. It may be called by any goroutine.
func (w *Watch) Status() Status { return *w.shown.Load() }

// look asks the file system, and counts n more bytes as used.
func (w *Watch) look(now time.Duration, n int64) {
	w.at, w.looked = now, true
	free, total, ok := vfs.Usage(w.o.FS, w.o.Dir)
	s, was := &w.current, w.current.Low
	if !ok {
		*s = Status{Dir: w.o.Dir}
		w.credit = 1 << 62 // nobody knows; the writes will tell
	} else {
		s.Free, s.Total, s.MinFree = free, total, w.o.MinFree
		if s.MinFree == 0 {
			s.MinFree = Reserve(total)
		}
		s.Low = free-n < s.MinFree || (was && free < s.MinFree+s.MinFree/4)
		w.credit = max(n, (free-s.MinFree)/2) // half: others write, too, and what is taken is more than its bytes on the disk
	}
	shown := *s
	w.shown.Store(&shown)
	if s.Low != was && w.o.Changed != nil {
		w.o.Changed(shown)
	}
}
