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
	for i := range s.tasks {
		t := s.tasks[(s.next+i)%len(s.tasks)]
		if t.hasInput() {
			s.next = (s.next + i + 1) % len(s.tasks)
			return t
		}
	}
	return nil
}

// unit takes at most limit rows of t, and what follows from them, until it succeeds. A record that fails is judged, and the rest
// is tried again in smaller units, so that many bad records don't cost many rows each.
func (s *Set) unit(t *task, limit int, out Output) (int, error) {
	for {
		n, err := s.try(t, limit)
		if err == nil {
			s.rows = min(2*s.rows, s.c.BatchRows)
			return n, s.keep(out)
		}
		var failed *operator.RowError
		if !errors.As(err, &failed) {
			return 0, err
		}
		s.undo()
		s.judge(failed)
		s.rows = max(1, limit/8)
		limit = s.rows
	}
}

// try runs a unit without making anything of it final.
func (s *Set) try(t *task, limit int) (n int, err error) {
	s.touch(t)
	for taken := 0; taken < limit; {
		k, err := t.step(limit - taken)
		if err != nil {
			return 0, err
		}
		if k == 0 {
			break
		}
		taken += k
	}
	if err := s.drain(); err != nil {
		return 0, err
	}
	for _, t := range s.touched {
		n += t.ahead()
	}
	return n, nil
}

// drain runs the tasks behind exchanges until all inboxes are empty. The task with the lowest timestamp goes first, of equal ones
// the one further in front. A task takes its sources' rows in between, where their timestamps are lower.
func (s *Set) drain() error {
	for {
		var next *task
		var lowest record.Timestamp
		for _, t := range s.behind {
			if !t.hasMail() {
				continue
			}
			if head, _ := t.head(); next == nil || head < lowest {
				next, lowest = t, head
			}
		}
		if next == nil {
			return nil
		}
		s.touch(next)
		for next.hasMail() {
			if _, err := next.step(s.c.BatchRows); err != nil {
				return err
			}
		}
	}
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
