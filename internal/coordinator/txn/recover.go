package txn

import (
	"errors"
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/format"
)

// errNoProducer marks a record about a transactional id that no earlier record introduced.
var errNoProducer = errors.New("transaction of an unknown transactional id")

// Apply repeats a durable record (an End's Record included). A record that cannot be read changes nothing.
func (t *Txns) Apply(rec []byte) error {
	e, err := decode(rec)
	if err != nil {
		return fmt.Errorf("transaction record: %w", err)
	}
	switch e.kind {
	case kindNextID:
		t.nextID = max(t.nextID, e.nextID)
	case kindProducer:
		t.ids[e.id] = e.producer
		t.nextID = max(t.nextID, e.producer.producer.ID+1)
	case kindAdded:
		o := t.ids[e.id]
		if o == nil {
			return fmt.Errorf("transaction record: %q: %w", e.id, errNoProducer)
		}
		o.begin(e.started)
		for _, tp := range e.partitions {
			o.partitions[tp] = struct{}{}
		}
		for _, g := range e.groups {
			o.groups[g] = struct{}{}
		}
	case kindForgotten:
		delete(t.ids, e.id)
	}
	return nil
}

// Restored ends a recovery: open transactions get a full timeout from now, unused ids the whole expiry time.
func (t *Txns) Restored(now time.Duration) {
	for _, o := range t.sorted() {
		wait := t.options.Expiry
		if o.state == ongoing {
			wait = o.timeout
		}
		t.timers.Set(&o.timer, now+wait)
	}
}

// AppendSnapshot appends records that rebuild the state through Apply, each prefixed by its uvarint length. Equal states give equal
// bytes.
func (t *Txns) AppendSnapshot(dst []byte) []byte {
	dst = format.AppendBytes(dst, appendNextID(nil, t.nextID))
	for _, o := range t.sorted() {
		dst = format.AppendBytes(dst, appendProducer(nil, o))
		if o.state == ongoing {
			dst = format.AppendBytes(dst, appendAdded(nil, o, o.sortedPartitions(), o.sortedGroups()))
		}
	}
	return dst
}

// LoadSnapshot applies the records of AppendSnapshot to an empty machine.
func (t *Txns) LoadSnapshot(b []byte) error {
	if err := format.Frames(b, t.Apply); err != nil {
		return fmt.Errorf("transaction snapshot: %w", err)
	}
	return nil
}
