package crash

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/examples/payments"
)

// findings gathers what is wrong, the first few of it in words.
type findings struct {
	count int
	first []error
}

func (f *findings) add(format string, args ...any) {
	if f.count++; f.count <= 10 {
		f.first = append(f.first, fmt.Errorf(format, args...))
	}
}

func (f *findings) err() error {
	if f.count == 0 {
		return nil
	}
	return fmt.Errorf("%d findings: %w", f.count, errors.Join(f.first...))
}

// A verdict is what the check of a whole run counted.
type verdict struct {
	acknowledged, unknown, unknownThere int
	payments, lists, customers          int
}

func (v verdict) String() string {
	return fmt.Sprintf("%d records acknowledged, %d given up by their producer (%d of them are there), %d payments, %d lists of %d customers",
		v.acknowledged, v.unknown, v.unknownThere, v.payments, v.lists, v.customers)
}

// A system is where the payments system can be reached.
type system struct {
	bootstrap string
	database  string
	services  []*service
	wallets   bool // the e-wallet channel has joined
}

// A parser turns the value of a channel's record into the payment it must become.
type parser func(value []byte) (payment, error)

func (s system) channels() map[string]parser {
	out := map[string]parser{payments.CardTopic: cardInput, payments.TransferTopic: transferInput}
	if s.wallets {
		out[walletTopic] = walletInput
	}
	return out
}

// inputs reads the channels and returns what they must become, after checking them against the services' books.
func (t *trial) inputs(s system) ([]payment, verdict) {
	t.Helper()
	var all []payment
	b := openBooks(s.services)
	for topic, parse := range s.channels() {
		t.readAll(s.bootstrap, topic, func(r *kgo.Record) error {
			p, err := parse(r.Value)
			if err == nil {
				all = append(all, p)
				b.found(p.id, r)
			}
			return err
		})
	}
	v, err := b.close()
	if err != nil {
		t.Fatalf("input topics: %v", err)
	}
	return all, v
}

// books are the services' books during a check.
type books struct {
	services map[int64]*service // by the id of payment 0, rounded down
	seen     map[int64]int
	wrong    findings
}

// idsOf is how far the ids of different services lie apart.
const idsOf = 1_000_000_000_000

func openBooks(services []*service) *books {
	b := &books{services: map[int64]*service{}, seen: map[int64]int{}}
	for _, s := range services {
		b.services[s.baseID/idsOf] = s
	}
	return b
}

// found compares a record of an input topic with what its service has published.
func (b *books) found(id int64, r *kgo.Record) {
	s := b.services[id/idsOf]
	if s == nil {
		return // of a program that keeps no book
	}
	if b.seen[id]++; b.seen[id] > 1 {
		b.wrong.add("payment %d is in %s %d times", id, r.Topic, b.seen[id])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := id - s.baseID
	if i < 0 || i >= int64(len(s.mu.sent)) {
		b.wrong.add("payment %d in %s was never published", id, r.Topic)
		return
	}
	if e, err := s.event(nil, i); err != nil || e.Topic != r.Topic || !bytes.Equal(e.Value, r.Value) || e.Key != string(r.Key) {
		b.wrong.add("payment %d in %s/%d at %d is not what was published: %w", id, r.Topic, r.Partition, r.Offset, err)
	}
	// A broker that knows a batch only as a duplicate may not know its offset any more.
	at := s.mu.sent[i]
	if at.state == acknowledged && at.offset >= 0 && (at.partition != r.Partition || at.offset != r.Offset) {
		b.wrong.add("payment %d was acknowledged at %s/%d offset %d and is at %d/%d", id, r.Topic, at.partition, at.offset, r.Partition, r.Offset)
	}
}

// close looks for what was acknowledged and is not there.
func (b *books) close() (verdict, error) {
	var v verdict
	for _, s := range b.services {
		s.mu.Lock()
		for i, at := range s.mu.sent {
			there := b.seen[s.baseID+int64(i)] > 0
			switch {
			case at.state == acknowledged:
				v.acknowledged++
				if !there {
					b.wrong.add("payment %d was acknowledged at partition %d offset %d and is lost", s.baseID+int64(i), at.partition, at.offset)
				}
			case at.state == unknown:
				v.unknown++
				if there {
					v.unknownThere++
				}
			default:
				b.wrong.add("payment %d was never answered", s.baseID+int64(i))
			}
		}
		s.mu.Unlock()
	}
	return v, b.wrong.err()
}

// outputs checks PAYMENT-OUTPUT against the inputs and PAYMENT-TRX-AGGR against PAYMENT-OUTPUT, and returns the last lists.
func (t *trial) outputs(s system, inputs []payment, v *verdict) map[int64][]payment {
	t.Helper()
	missing := make(map[int64]payment, len(inputs))
	for _, p := range inputs {
		missing[p.id] = p
	}
	seen := map[int64]bool{}
	var wrong findings
	l := newLists()
	t.readAll(s.bootstrap, payments.PaymentTopic, func(r *kgo.Record) error {
		p, err := commonOutput(r.Value)
		if err != nil {
			return err
		}
		v.payments++
		l.arrived(r.Partition, p)
		want, ok := missing[p.id]
		switch {
		case seen[p.id]:
			wrong.add("payment %d is in %s twice, again in partition %d at %d", p.id, r.Topic, r.Partition, r.Offset)
		case !ok:
			wrong.add("payment %d in %s/%d at %d is in no channel", p.id, r.Topic, r.Partition, r.Offset)
		case p != want:
			wrong.add("payment %d in %s:\n got %+v\nwant %+v", p.id, r.Topic, p, want)
		}
		seen[p.id] = true
		delete(missing, p.id)
		return nil
	})
	for id := range missing {
		wrong.add("payment %d is missing in %s", id, payments.PaymentTopic)
	}
	if err := wrong.err(); err != nil {
		t.Errorf("%s: %v", payments.PaymentTopic, err)
	}
	t.readAll(s.bootstrap, payments.LastFiveTopic, l.list)
	last, err := l.finish()
	if err != nil {
		t.Errorf("%s: %v", payments.LastFiveTopic, err)
	}
	v.lists, v.customers = l.records, len(last)
	return last
}
