package txn

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Init gives out a producer. An open transaction of the same id is aborted first: ends holds its End (the epoch is fenced at once).
// Errors: INVALID_TRANSACTION_TIMEOUT, PRODUCER_FENCED (a newer epoch exists). records holds the new producer state; it comes after
// the ends.
//
// With Current (KIP-360) only the present producer is served; the one before it gets the same answer again when it had asked by
// name. Where Kafka answers CONCURRENT_TRANSACTIONS until an abort is complete, this abort is complete at once.
func (t *Txns) Init(now time.Duration, r Init) (p Producer, ends []End, records [][]byte, err *kerr.Error) {
	if r.ID == "" {
		p = t.newProducer()
		return p, nil, [][]byte{appendNextID(nil, t.nextID)}, nil
	}
	if r.Timeout < time.Millisecond || r.Timeout > t.options.MaxTimeout {
		return None, nil, nil, kerr.InvalidTransactionTimeout
	}
	if r.Current == (Producer{}) {
		r.Current = None
	}
	o := t.ids[r.ID]
	switch {
	case o == nil:
		o = newOwner(r.ID)
		o.producer = t.newProducer()
		t.ids[r.ID] = o
	case r.Current == None || r.Current == o.producer:
		marker, next := t.bump(o.producer)
		if o.state == ongoing {
			ends = append(ends, t.finish(now, o, outcome{marker: marker, next: next, ended: None}))
		}
		o.producer, o.initFrom = next, r.Current
	case r.Current == o.initFrom:
		// A retry: the caller is told again who it is. Nobody gets here once the producer has begun to use its new self.
	default:
		return None, nil, nil, kerr.ProducerFenced
	}
	o.state, o.ended, o.timeout = empty, None, r.Timeout.Truncate(time.Millisecond)
	t.timers.Set(&o.timer, now+t.options.Expiry)
	return o.producer, ends, [][]byte{appendProducer(nil, o)}, nil
}
