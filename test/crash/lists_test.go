package crash

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lists checks PAYMENT-TRX-AGGR against PAYMENT-OUTPUT. Each list must be the one before it with exactly one more payment in its
// place; within a partition of PAYMENT-OUTPUT a customer's payments must be taken in their order, and one that was passed over
// must have been too old to change the list. That holds if and only if some order of arrival explains all the lists.
type lists struct {
	customers map[int64]*customerLists
	records   int
}

type customerLists struct {
	current []payment
	waiting map[int32][]payment // by partition of PAYMENT-OUTPUT, those not yet taken or passed over
}

func newLists() *lists { return &lists{customers: map[int64]*customerLists{}} }

func (l *lists) of(customer int64) *customerLists {
	c := l.customers[customer]
	if c == nil {
		c = &customerLists{waiting: map[int32][]payment{}}
		l.customers[customer] = c
	}
	return c
}

// arrived takes the records of PAYMENT-OUTPUT, all of them before the first list.
func (l *lists) arrived(partition int32, p payment) {
	c := l.of(p.customer)
	c.waiting[partition] = append(c.waiting[partition], p)
}

// list takes the records of PAYMENT-TRX-AGGR.
func (l *lists) list(r *kgo.Record) error {
	l.records++
	var in struct {
		CustomerID int64
		Payments   []commonJSON
	}
	if err := decode(r.Value, &in); err != nil {
		return err
	}
	if len(r.Key) != 8 || int64(binary.BigEndian.Uint64(r.Key)) != in.CustomerID {
		return fmt.Errorf("the key %x is not that of customer %d", r.Key, in.CustomerID)
	}
	next := make([]payment, len(in.Payments))
	for i, p := range in.Payments {
		var err error
		if next[i], err = p.payment(); err != nil {
			return err
		}
	}
	if err := l.of(in.CustomerID).step(next); err != nil {
		return fmt.Errorf("list of customer %d: %w", in.CustomerID, err)
	}
	return nil
}

// inserted returns list with p in its place, cut to keep, and whether p is in it.
func inserted(list []payment, p payment) ([]payment, bool) {
	place := 0
	for place < len(list) && list[place].date >= p.date {
		place++
	}
	if place == keep {
		return list, false
	}
	out := slices.Insert(slices.Clone(list), place, p)
	return out[:min(keep, len(out))], true
}

func (c *customerLists) step(next []payment) error {
	added := slices.DeleteFunc(slices.Clone(next), func(p payment) bool { return slices.Contains(c.current, p) })
	if len(added) != 1 {
		return fmt.Errorf("%d payments are new where one is:\nbefore %+v\n after %+v", len(added), c.current, next)
	}
	if want, _ := inserted(c.current, added[0]); !slices.Equal(next, want) {
		return fmt.Errorf("is not the list before it with payment %d:\nbefore %+v\n after %+v", added[0].id, c.current, next)
	}
	for partition, waiting := range c.waiting {
		at := slices.Index(waiting, added[0])
		if at < 0 {
			continue
		}
		if err := c.tooOld(waiting[:at]); err != nil {
			return err
		}
		c.waiting[partition] = waiting[at+1:]
		c.current = next
		return nil
	}
	return fmt.Errorf("payment %d is taken for a second time, out of order, or is not in PAYMENT-OUTPUT", added[0].id)
}

// tooOld returns an error if one of the payments would still change the list: then it was left out, since lists only get newer.
func (c *customerLists) tooOld(passed []payment) error {
	for _, p := range passed {
		if _, changes := inserted(c.current, p); changes {
			return fmt.Errorf("payment %d was left out of\n%+v", p.id, c.current)
		}
	}
	return nil
}

// finish checks what has not been taken, and returns the last lists.
func (l *lists) finish() (map[int64][]payment, error) {
	var errs []error
	last := map[int64][]payment{}
	for customer, c := range l.customers {
		for _, waiting := range c.waiting {
			if err := c.tooOld(waiting); err != nil && len(errs) < 5 {
				errs = append(errs, fmt.Errorf("customer %d: %w", customer, err))
			}
		}
		last[customer] = c.current
	}
	return last, errors.Join(errs...)
}
