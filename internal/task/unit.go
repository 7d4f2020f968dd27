package task

import (
	"errors"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
)

// Process takes about maxRecords buffered records, at least one if there is any, and appends everything derived from them to
// out before it returns. n is the number consumed; 0 without an error means that nothing is buffered.
//
// A *RecordError means: everything before that record is processed and in out, nothing of the record or after it in its
// partition is. The Set stays usable: what was processed may be sealed and committed, but Process returns the same error again.
// After any other error the Set must be thrown away.
func (s *Set) Process(out Output, maxRecords int) (n int, err error) {
	if err := s.start(); err != nil {
		return 0, err
	}
	for n == 0 || n < maxRecords {
		if s.stopped != nil {
			return n, s.stopped
		}
		t := s.turn()
		if t == nil {
			return n, nil
		}
		taken, err := s.unit(t, min(s.rows, max(1, maxRecords-n)), out)
		n += taken
		if err != nil {
			return n, err
		}
	}
	if s.stopped != nil {
		return n, s.stopped
	}
	return n, nil
}

// turn returns the next task that has input, going round.
func (s *Set) turn() *task {
	if t := s.globalTurn(); t != nil {
		return t
	}
	for i := range s.tasks {
		t := s.tasks[(s.next+i)%len(s.tasks)]
		if t.hasInput() && s.ready(t) {
			s.next = (s.next + i + 1) % len(s.tasks)
			return t
		}
	}
	return nil
}

// unit takes at most limit rows of t, and what follows from them, until it succeeds. A record that fails is judged, and the rest
// is tried again in smaller units, so that many bad records don't cost many rows each.
func (s *Set) unit(t *task, limit int, out Output) (int, error) {
	defer s.measured(t, s.now())
	for {
		n, err := s.try(t, limit)
		if err == nil {
			s.rows = min(2*s.rows, s.c.BatchRows)
			return n, s.keep(out)
		}
		if err := s.failed(err); err != nil {
			return 0, err
		}
		s.rows = max(1, limit/8)
		limit = s.rows
	}
}

// failed takes the unit back that ended with err, and judges the record that err names; any other error is returned.
func (s *Set) failed(err error) error {
	var failed *operator.RowError
	if !errors.As(err, &failed) {
		return err
	}
	s.undo()
	if failed.Origin == operator.NoOrigin {
		return &PunctuationError{Node: failed.Node, Reason: failed.Reason, Cause: failed.Cause}
	}
	s.judge(failed)
	return nil
}

// try runs a unit without making anything of it final.
func (s *Set) try(t *task, limit int) (n int, err error) {
	s.settle()
	s.touch(t)
	for taken := 0; taken < limit && (taken == 0 || s.ready(t)); {
		k, err := t.step(limit - taken)
		if err != nil {
			return 0, err
		}
		if k == 0 {
			break
		}
		taken += k
		if len(s.loops) > 0 && !t.hasInput() {
			break // what comes back goes by time, with the rest
		}
		if err := s.comeBack(); err != nil {
			return 0, err
		}
	}
	if err := s.flushed(); err != nil {
		return 0, err
	}
	if err := s.drain(); err != nil {
		return 0, err
	}
	for _, t := range s.touched {
		n += t.ahead()
	}
	return n, nil
}

// settle makes what was restored final, before the first unit.
func (s *Set) settle() {
	if s.settled {
		return
	}
	s.settled = true
	for _, u := range s.env.Undoers {
		u.Keep()
	}
}

// flushed flushes the caches where every record does.
func (s *Set) flushed() error {
	if !s.c.FlushEachRecord {
		return nil
	}
	return s.flushCaches()
}

// drain runs the tasks behind exchanges until all inboxes are empty. The task with the lowest timestamp goes first, of equal ones
// the one further in front. A task takes its sources' rows in between, where their timestamps are lower, unless it has to wait for a row
// that comes back (see topology.Loops). Where every record flushes the caches what follows from a row comes with the flush, and everything
// goes by time as it does in Kafka Streams' test driver.
func (s *Set) drain() error {
	for {
		waiting := !s.c.FlushEachRecord && s.comingBack() != nil
		var next *task
		var lowest record.Timestamp
		for _, t := range s.behind {
			if !t.hasMail() {
				continue
			}
			ports := t.ports
			switch {
			case s.cutting:
				ports = t.mail
			case waiting && t.between != nil:
				ports = t.between
			}
			if head, waits := head(ports); waits && (next == nil || head < lowest) {
				next, lowest = t, head
			}
		}
		if next == nil {
			return nil
		}
		s.touch(next)
		if err := s.drainTask(next, waiting && next.between != nil); err != nil {
			return err
		}
		if err := s.flushed(); err != nil {
			return err
		}
	}
}

// drainTask runs a task until its inboxes are empty, or others may come first.
func (s *Set) drainTask(t *task, between bool) error {
	if between {
		return t.stepOf(t.between, s.c.BatchRows)
	}
	if s.cutting {
		return t.stepOf(t.mail, s.c.BatchRows)
	}
	for t.hasMail() {
		if _, err := t.step(s.c.BatchRows); err != nil {
			return err
		}
		if s.c.FlushEachRecord || len(s.loops) > 0 {
			break // what it gave may come before the rest
		}
	}
	return nil
}

// comeBack has the rows come back that are on their way, before the next one is taken.
func (s *Set) comeBack() error {
	for {
		next := s.comingBack()
		if next == nil || s.c.FlushEachRecord {
			return nil
		}
		s.touch(next)
		if err := next.stepOf(next.between, s.c.BatchRows); err != nil {
			return err
		}
	}
}

// comingBack returns the task with the lowest timestamp of those where rows wait on their way back, nil when there are none.
func (s *Set) comingBack() (next *task) {
	var lowest record.Timestamp
	for _, t := range s.loops {
		if head, waits := head(t.between); waits && (next == nil || head < lowest) {
			next, lowest = t, head
		}
	}
	return next
}

func (s *Set) touch(t *task) {
	if !t.touched {
		t.touched = true
		s.touched = append(s.touched, t)
	}
}

// keep hands the unit's output on and makes it final.
func (s *Set) keep(out Output) error {
	for _, r := range s.env.Stage.Rows() {
		if err := out.Append(r.TopicPartition, r.Timestamp, r.Key, r.Value, r.Headers); err != nil {
			return err
		}
	}
	for _, u := range s.env.Undoers {
		u.Keep()
	}
	s.env.Drops.Keep()
	for _, t := range s.touched {
		t.keep()
	}
	s.settleVerdicts()
	s.env.Caches.Remember()
	clear(s.lost)
	s.forget()
	return nil
}

// undo takes the unit back.
func (s *Set) undo() {
	for _, u := range s.env.Undoers {
		u.Undo()
	}
	s.env.Drops.Undo()
	for _, t := range s.touched {
		t.undo()
	}
	s.forget()
}

func (s *Set) forget() {
	s.env.Stage.Reset()
	s.env.Arena.Reset()
	s.touched = s.touched[:0]
}
