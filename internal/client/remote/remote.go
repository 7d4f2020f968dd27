// Package remote is the client's door to a Kafka cluster, 2.5 or newer: the same promises as the embedded broker's door, kept
// by Kafka's transactions.
//
// The root and package worker open a Door and give it to the engine. It calls franz-go (kgo for connections and fetching,
// kadm for administration, kmsg for the requests of transactions and groups) and package epoch.
//
// Owner and locks: a Door is safe for concurrent use. A Reader and an Epoch belong to one goroutine. A Producer's NewEpoch may
// run beside its Commit; one mutex is held for the whole of a Commit, across its requests, so that Close waits for it. A Member has
// a goroutine of its own, which Close ends; its mutex is held for moments, also by the producers that commit in its name, under theirs.
//
// Format: an epoch is one transaction; its positions are offsets of the consumer group that has the application's name. The transactional
// id is the application's name, too, or <app>-<worker> where workers share it. The steps and what a failure of each means stand in
// transaction.go, who may run an application alone in term.go, the states of a worker in its group in member.go, what a commit that meets
// a round does in seat.go, the encodings in subscription.go.
//
// Not here: which worker runs what (packages assign and engine), retries of whole epochs (engine).
package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// ErrTooOld: the cluster lacks what exactly-once needs.
var ErrTooOld = errors.New("cluster is older than Kafka 2.5")

// Options of Open; zero fields take the defaults.
type Options struct {
	// Brokers are the addresses to start from, host:port.
	Brokers []string
	// ClientID names this process in the brokers' logs; default "mainstem".
	ClientID string
	// Clock times retries; default clock.System.
	Clock clock.Clock
	// TransactionTimeout is after how long the cluster aborts the transaction of a process that hangs: until then readers of
	// its output topics see nothing newer. Default 1 min.
	TransactionTimeout time.Duration
	// CommitTimeout bounds one Commit, OpenProducer and EnsureTopics each; below TransactionTimeout. Default 30 s.
	CommitTimeout time.Duration
	// FetchBytes bounds one fetch from one broker: what a Reader holds ahead; default 8 MiB.
	FetchBytes int32
	// Connection is given to every connection: TLS, SASL, a dialer.
	Connection []kgo.Opt
}

func (o Options) withDefaults() Options {
	if o.ClientID == "" {
		o.ClientID = "mainstem"
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.TransactionTimeout == 0 {
		o.TransactionTimeout = time.Minute
	}
	if o.CommitTimeout == 0 {
		o.CommitTimeout = 30 * time.Second
	}
	if o.FetchBytes == 0 {
		o.FetchBytes = 8 << 20
	}
	return o
}

// metadataAge is how old an answer about topics and leaders may be; a new topic should not stay unknown for longer.
const metadataAge = 100 * time.Millisecond

// retries of requests that change nothing twice (look-ups, topics), with retryAfter between them: about 30 s in all, and a
// broker that comes back is found within a second.
const retries = 35

func retryAfter(tries int) time.Duration {
	return min(25*time.Millisecond<<min(tries, 10), time.Second)
}

// A Door is the door to one cluster.
type Door struct {
	o     Options
	cl    *kgo.Client // for requests that belong to no reader, producer or member
	adm   *kadm.Client
	terms terms
}

var _ client.Door = (*Door)(nil)

// Open connects to the cluster and checks that it is new enough.
func Open(ctx context.Context, o Options) (*Door, error) {
	o = o.withDefaults()
	caps := kversion.Stable()
	caps.SetMaxKeyVersion(int16(kmsg.EndTxn), endTxnTV1) // it only asks: see terms
	cl, err := o.newClient(caps)
	if err != nil {
		return nil, fmt.Errorf("open cluster %v: %w", o.Brokers, err)
	}
	d := &Door{o: o, cl: cl, adm: kadm.NewClient(cl)}
	if err := d.checkVersion(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("open cluster %v: %w", o.Brokers, err)
	}
	return d, nil
}

// newClient makes a client with its own connections.
func (o Options) newClient(versions *kversion.Versions, more ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...), kgo.ClientID(o.ClientID), kgo.MaxVersions(versions),
		kgo.MetadataMinAge(metadataAge),
		kgo.RetryBackoffFn(retryAfter), kgo.RequestRetries(retries),
	}
	return kgo.NewClient(append(append(opts, o.Connection...), more...)...)
}

// checkVersion wants group metadata in TxnOffsetCommit (KIP-447) and stable offsets.
func (d *Door) checkVersion(ctx context.Context) error {
	resp, err := d.apiVersions(ctx)
	if err != nil {
		return err
	}
	need := map[int16]int16{int16(kmsg.TxnOffsetCommit): 3, int16(kmsg.OffsetFetch): 7, int16(kmsg.InitProducerID): 3}
	for _, k := range resp.ApiKeys {
		if v, ok := need[k.ApiKey]; ok && k.MaxVersion >= v {
			delete(need, k.ApiKey)
		}
	}
	for key := range need {
		return fmt.Errorf("%w: its %s lacks what exactly-once needs", ErrTooOld, kmsg.NameForKey(key))
	}
	return nil
}

func (d *Door) apiVersions(ctx context.Context) (*kmsg.ApiVersionsResponse, error) {
	return kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, d.cl)
}

// Close implements client.Door. Readers and producers have connections of their own and are closed by their owners.
func (d *Door) Close() error {
	d.cl.Close()
	return nil
}

// A backoff waits between tries: 2, 4, 8 ms, then 16 ms for a while, as long as a transaction takes to end, then longer and
// longer up to half a second.
type backoff struct {
	clock clock.Clock
	tries int
}

func (b *backoff) next() time.Duration {
	const quick = 16 // tries
	b.tries++
	if b.tries <= quick {
		return 2 * time.Millisecond << min(b.tries-1, 3)
	}
	return min(16*time.Millisecond<<min(b.tries-quick, 6), 500*time.Millisecond)
}

// wait returns ctx's error when it ends first.
func (b *backoff) wait(ctx context.Context) error {
	select {
	case <-b.clock.After(b.next()):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
