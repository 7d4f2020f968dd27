package sim

import (
	"fmt"
	"slices"
)

// A register is something with one value at a time, such as a committed offset: what is seen of it must have been asked for, and must
// not be older than what was acknowledged last.
type register struct {
	asked []string // the first is what it began with
	acked int      // the last that was acknowledged
}

func newRegister(initial string) *register { return &register{asked: []string{initial}} }

func (r *register) ask(v string) (at int) {
	r.asked = append(r.asked, v)
	return len(r.asked) - 1
}

func (r *register) ack(at int) { r.acked = max(r.acked, at) }

// see judges a value; from then on it is what the register holds.
func (r *register) see(v string) error {
	if !slices.Contains(r.asked[r.acked:], v) {
		return fmt.Errorf("it is %q, not one of %q", v, r.asked[r.acked:])
	}
	r.asked, r.acked = append(r.asked[:0], v), 0
	return nil
}
