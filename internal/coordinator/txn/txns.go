package txn

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/deadline"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// lastEpoch is the highest epoch given out, one below the highest there is: so a producer can always be fenced.
const lastEpoch = math.MaxInt16 - 1

func (o Options) withDefaults() Options {
	if o.MaxTimeout == 0 {
		o.MaxTimeout = 15 * time.Minute
	}
	if o.Expiry == 0 {
		o.Expiry = 7 * 24 * time.Hour
	}
	return o
}

// Txns is the state machine over all producers. now is monotonic, at is the wall clock.
type Txns struct {
	options Options
	nextID  int64
	ids     map[string]*owner
	timers  deadline.Queue[*owner] // when an open transaction times out, else when the id is forgotten
}

type state byte

const (
	empty state = iota
	completeCommit
	completeAbort
	ongoing // never in a record: adding partitions or groups makes it so
)

var stateNames = [...]string{"Empty", "CompleteCommit", "CompleteAbort", "Ongoing"}

// An owner is a transactional id with its producer and, when ongoing, its transaction.
type owner struct {
	id       string
	state    state
	producer Producer
	timeout  time.Duration
	// initFrom is the producer that asked by name for the present one, else None: when it asks again, the first answer was lost.
	initFrom Producer
	// ended is the producer whose transaction ended last, None once the id was initialized or used since. When it ends again, the
	// first answer was lost, or the coordinator was faster.
	ended Producer

	started    record.Timestamp
	partitions map[record.TopicPartition]struct{}
	groups     map[string]struct{}

	timer deadline.Timer[*owner]
}

// New returns an empty machine.
func New(o Options) *Txns {
	return &Txns{options: o.withDefaults(), nextID: 1, ids: map[string]*owner{}}
}

func newOwner(id string) *owner {
	o := &owner{id: id, producer: None, initFrom: None, ended: None}
	o.timer.Of = o
	o.clear()
	return o
}

// clear forgets the transaction's contents.
func (o *owner) clear() {
	o.started = record.NoTimestamp
	o.partitions, o.groups = map[record.TopicPartition]struct{}{}, map[string]struct{}{}
}

// newProducer takes the next producer id.
func (t *Txns) newProducer() Producer {
	p := Producer{ID: t.nextID}
	t.nextID++
	return p
}

// bump returns the epoch for the markers that end p's transaction and the producer afterwards: the same, or a new id when p's
// epochs are used up.
func (t *Txns) bump(p Producer) (marker, next Producer) {
	marker = Producer{p.ID, p.Epoch + 1}
	if p.Epoch >= lastEpoch {
		return marker, t.newProducer()
	}
	return marker, marker
}

// Next is when Tick must be called at the latest.
func (t *Txns) Next() (at time.Duration, ok bool) { return t.timers.Next() }

// Tick aborts transactions that outlived their timeout, with a bumped epoch, and forgets ids that were not used for the expiry
// time. The latter too come as an End, an abort without partitions and groups, whose Record must be made durable like any other.
func (t *Txns) Tick(now time.Duration) []End {
	var ends []End
	for due := t.timers.Due(now); due != nil; due = t.timers.Due(now) {
		o := due.Of
		if o.state != ongoing {
			delete(t.ids, o.id)
			ends = append(ends, End{Record: appendForgotten(nil, o.id), ID: o.id, Producer: o.producer})
			continue
		}
		old := o.producer
		marker, next := t.bump(old)
		ends = append(ends, t.finish(now, o, outcome{marker: marker, next: next, ended: old}))
	}
	return ends
}

// Check verifies that p is the current producer of id: INVALID_PRODUCER_ID_MAPPING when the id is unknown or has another producer
// id, PRODUCER_FENCED when the epoch differs.
func (t *Txns) Check(id string, p Producer) *kerr.Error {
	_, err := t.find(id, p)
	return err
}

func (t *Txns) find(id string, p Producer) (*owner, *kerr.Error) {
	o := t.ids[id]
	switch {
	case o == nil || o.producer.ID != p.ID:
		return nil, kerr.InvalidProducerIDMapping
	case o.producer.Epoch != p.Epoch:
		return nil, kerr.ProducerFenced
	}
	return o, nil
}

// List and Describe serve ListTransactions and DescribeTransactions; List is sorted by id.
func (t *Txns) List() []Description {
	all := make([]Description, 0, len(t.ids))
	for _, o := range t.sorted() {
		all = append(all, o.describe())
	}
	return all
}

// Describe returns one id; ok is false when it is unknown.
func (t *Txns) Describe(id string) (d Description, ok bool) {
	o := t.ids[id]
	if o == nil {
		return Description{}, false
	}
	return o.describe(), true
}

func (o *owner) describe() Description {
	return Description{
		ID: o.id, State: stateNames[o.state], Producer: o.producer, Timeout: o.timeout, Started: o.started,
		Partitions: o.sortedPartitions(),
	}
}

func (t *Txns) sorted() []*owner {
	all := make([]*owner, 0, len(t.ids))
	for _, o := range t.ids {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *owner) int { return strings.Compare(a.id, b.id) })
	return all
}

func (o *owner) sortedPartitions() []record.TopicPartition {
	tps := make([]record.TopicPartition, 0, len(o.partitions))
	for tp := range o.partitions {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, func(a, b record.TopicPartition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition) - int(b.Partition)
	})
	return tps
}

func (o *owner) sortedGroups() []string {
	groups := make([]string, 0, len(o.groups))
	for g := range o.groups {
		groups = append(groups, g)
	}
	slices.Sort(groups)
	return groups
}
