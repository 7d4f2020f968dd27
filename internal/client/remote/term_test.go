package remote_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A trial is one application on one cluster.
type trial struct {
	*testing.T
	ctx     context.Context
	brokers []string
	app     string
	in      record.TopicPartition
}

func onClusters(t *testing.T, test func(t *trial)) {
	for name, brokers := range clusters(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			tr := &trial{T: t, ctx: ctx, brokers: brokers, app: "app-" + uuid.NewString()[:8]}
			tr.in.Topic = tr.app
			if _, err := open(t, brokers...).EnsureTopics(ctx, client.TopicSpec{Name: tr.app, Partitions: 1}); err != nil {
				t.Fatal(err)
			}
			test(tr)
		})
	}
}

func (t *trial) producer(d client.Door) client.Producer {
	t.Helper()
	p, err := d.OpenProducer(t.ctx, t.app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (t *trial) commit(p client.Producer, o record.Offset) error {
	return p.Commit(t.ctx, p.NewEpoch(), map[record.TopicPartition]record.Offset{t.in: o})
}

func (t *trial) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A process is stopped, another one takes over, and the first continues with its connections lost, as when the broker was restarted
// meanwhile: it starts again, as for any lost connection, and must notice then.
func TestAContinuedProcessEndsAndDoesNotFenceItsSuccessor(t *testing.T) {
	for _, successorCommits := range []bool{true, false} {
		onClusters(t, func(t *trial) {
			p := newProcess(t.T, nil, t.brokers...)
			zombie := t.producer(p.Door())
			t.must(t.commit(zombie, 1))
			p.Stop()
			successor := t.producer(open(t.T, t.brokers...))
			if successorCommits {
				t.must(t.commit(successor, 2))
			}
			p.gate.disconnect()
			p.Continue()
			zombie.Close()
			if _, err := p.Door().OpenProducer(t.ctx, t.app); !errors.Is(err, client.ErrFenced) {
				t.Errorf("the continued process starts again: %v", err)
			}
			t.must(t.commit(successor, 3))
			// Somebody starts it again by hand: that is a take-over like any other.
			again := t.producer(p.Door())
			t.must(t.commit(again, 4))
			if err := t.commit(successor, 5); !errors.Is(err, client.ErrFenced) {
				t.Errorf("the successor, then: %v", err)
			}
		})
	}
}

func TestAProducerIsOpenedAgainAfterALostConnection(t *testing.T) {
	onClusters(t, func(t *trial) {
		p := newProcess(t.T, nil, t.brokers...)
		for i := range record.Offset(3) {
			producer := t.producer(p.Door())
			t.must(t.commit(producer, i))
			p.gate.disconnect()
			producer.Close()
		}
	})
}

// A late request of somebody whose right has ended raises the epoch: that passes.
func TestAFencedProducerThatHoldsItsTermIsNotReplaced(t *testing.T) {
	onClusters(t, func(t *trial) {
		d := open(t.T, t.brokers...)
		p := t.producer(d)
		t.must(t.commit(p, 1))
		cl, err := kgo.NewClient(kgo.SeedBrokers(t.brokers...))
		t.must(err)
		defer cl.Close()
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr(t.app), 10_000
		for refused := error(kerr.ConcurrentTransactions); errors.Is(refused, kerr.ConcurrentTransactions); { // while Kafka still ends the first one
			resp, err := req.RequestWith(t.ctx, cl)
			t.must(err)
			refused = kerr.ErrorForCode(resp.ErrorCode)
			if !errors.Is(refused, kerr.ConcurrentTransactions) {
				t.must(refused)
			}
		}
		if err := t.commit(p, 2); err == nil || errors.Is(err, client.ErrFenced) {
			t.Errorf("the fenced commit: %v", err)
		}
		p.Close()
		t.must(t.commit(t.producer(d), 3))
	})
}
