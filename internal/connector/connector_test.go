package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
)

// topics is a door to topics in memory. Partition p of a topic holds the given values at offsets from its start on.
type topics struct {
	client.Door
	logs     map[string]*log
	looks    int
	away     []error // of the next calls of Topics and Poll
	appearAt int     // looks at topics until they exist
}

type log struct {
	id     [16]byte
	start  record.Offset
	values [][]string // by partition
}

func (d *topics) Topics(_ context.Context, names ...string) (map[string]client.TopicInfo, error) {
	d.looks++
	if err := d.gone(); err != nil {
		return nil, err
	}
	found := map[string]client.TopicInfo{}
	for _, n := range names {
		if l, ok := d.logs[n]; ok && d.looks > d.appearAt {
			found[n] = client.TopicInfo{Name: n, ID: l.id, Partitions: int32(len(l.values))}
		}
	}
	return found, nil
}

func (d *topics) gone() error {
	if len(d.away) == 0 {
		return nil
	}
	err := d.away[0]
	d.away = d.away[1:]
	return err
}

func (d *topics) Starts(_ context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	at := map[record.TopicPartition]record.Offset{}
	for _, tp := range tps {
		at[tp] = d.logs[tp.Topic].start
	}
	return at, nil
}

func (d *topics) end(tp record.TopicPartition) record.Offset {
	l := d.logs[tp.Topic]
	return l.start + record.Offset(len(l.values[tp.Partition]))
}

func (d *topics) Ends(_ context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	at := map[record.TopicPartition]record.Offset{}
	for _, tp := range tps {
		at[tp] = d.end(tp)
	}
	return at, nil
}

func (d *topics) OpenReader(_ context.Context, from map[record.TopicPartition]record.Offset) (client.Reader, error) {
	for tp, at := range from {
		if at > d.end(tp) || at < d.logs[tp.Topic].start {
			return nil, fmt.Errorf("%s at %d: %w", tp, at, client.ErrGap)
		}
	}
	return &reader{door: d, at: from}, nil
}

// reader delivers two records of one partition a time, partitions in order, then waits.
type reader struct {
	client.Reader
	door *topics
	at   map[record.TopicPartition]record.Offset
}

func (r *reader) Close() {}

func (r *reader) Poll(ctx context.Context, _ int) ([]client.Chunk, error) {
	if err := r.door.gone(); err != nil {
		return nil, err
	}
	for name, l := range r.door.logs {
		for p := range l.values {
			tp := record.TopicPartition{Topic: name, Partition: int32(p)}
			at, end := r.at[tp], r.door.end(tp)
			if at == end {
				continue
			}
			c := client.Chunk{TopicPartition: tp, End: end}
			for ; at < end && len(c.Offsets) < 2; at++ {
				c.Offsets = append(c.Offsets, at)
				c.Timestamps = append(c.Timestamps, record.Timestamp(at)*10)
				c.Keys = append(c.Keys, []byte("k"))
				c.Values = append(c.Values, []byte(l.values[p][at-l.start]))
			}
			c.Next = at
			r.at[tp] = at
			return []client.Chunk{c}, nil
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// memory is a sink that remembers, and fails as told.
type memory struct {
	held   map[record.TopicPartition]connect.Position
	values []string
	fail   []error // for the next calls of Open and Write
	calls  int
	closed bool
	full   func() // called once it holds want values
	want   int
}

func (m *memory) Name() string { return "memory" }
func (m *memory) Close() error { m.closed = true; return nil }

func (m *memory) next() error {
	m.calls++
	if len(m.fail) == 0 {
		return nil
	}
	err := m.fail[0]
	m.fail = m.fail[1:]
	return err
}

func (m *memory) Open(context.Context) (map[record.TopicPartition]connect.Position, error) {
	if m.held == nil {
		m.held = map[record.TopicPartition]connect.Position{}
	}
	return m.held, m.next()
}

func (m *memory) Write(_ context.Context, b connect.Batch) error {
	if err := m.next(); err != nil {
		return err
	}
	for _, r := range b.Records {
		if r.Offset >= m.held[r.TopicPartition].Offset {
			m.values = append(m.values, string(r.Value))
		}
	}
	for tp, p := range b.Positions {
		m.held[tp] = p
	}
	if len(m.values) == m.want && m.full != nil {
		m.full()
	}
	return nil
}

func things(values ...[]string) *topics {
	return &topics{logs: map[string]*log{"things": {id: [16]byte{1}, values: values}}}
}

var (
	thing0 = record.TopicPartition{Topic: "things", Partition: 0}
	thing1 = record.TopicPartition{Topic: "things", Partition: 1}
)

// deliver runs until the sink holds want values, or until Run ends by itself.
func deliver(t *testing.T, d *topics, m *memory, want int, events Events) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.want, m.full = want, cancel
	err := Run(ctx, d, m, Options{Topics: []string{"things"}, Clock: clock.System, Events: events})
	if !m.closed {
		t.Error("the sink was left open")
	}
	return err
}

func TestDeliversFromTheStartAndStopsCleanly(t *testing.T) {
	m := &memory{}
	var lags []int64
	err := deliver(t, things([]string{"a", "b", "c"}, []string{"x"}), m, 4, Events{Written: func(w Written) { lags = append(lags, w.Lag) }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "x"}, m.values); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int64{2, 1, 0}, lags); diff != "" {
		t.Errorf("lag counts all partitions from the first batch on: %s", diff)
	}
	want := map[record.TopicPartition]connect.Position{thing0: {Offset: 3, TopicID: [16]byte{1}}, thing1: {Offset: 1, TopicID: [16]byte{1}}}
	if diff := cmp.Diff(want, m.held); diff != "" {
		t.Error(diff)
	}
}

func TestGoesOnAtTheSinksOwnPositionsAndTakesNewPartitions(t *testing.T) {
	m := &memory{held: map[record.TopicPartition]connect.Position{thing0: {Offset: 2, TopicID: [16]byte{1}}}}
	if err := deliver(t, things([]string{"a", "b", "c"}, []string{"x", "y"}), m, 3, Events{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"c", "x", "y"}, m.values); diff != "" {
		t.Error(diff)
	}
}

func TestANewPartitionStartsAtTheLogsStart(t *testing.T) {
	d := things([]string{"a"})
	d.logs["things"].start = 70
	m := &memory{}
	if err := deliver(t, d, m, 1, Events{}); err != nil {
		t.Fatal(err)
	}
	if m.held[thing0].Offset != 71 {
		t.Errorf("held %v", m.held)
	}
}

func TestWaitsForTopicsThatDoNotExistYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, m := things([]string{"a"}), &memory{}
		d.appearAt = 9
		var told [][]string
		if err := deliver(t, d, m, 1, Events{Waiting: func(names []string) { told = append(told, names) }}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{{"things"}}, told); diff != "" {
			t.Errorf("told once, not at every look: %s", diff)
		}
	})
}

func TestRetryableErrorsAreRepeatedWithGrowingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := connect.Retry(errors.New("busy"))
		m := &memory{fail: []error{busy, nil, busy, busy, busy}} // Open fails once, the first Write three times
		var waits []time.Duration
		if err := deliver(t, things([]string{"a", "b"}), m, 2, Events{Retrying: func(_ error, w time.Duration) { waits = append(waits, w) }}); err != nil {
			t.Fatal(err)
		}
		ms := time.Millisecond
		if diff := cmp.Diff([]time.Duration{20 * ms, 20 * ms, 40 * ms, 80 * ms}, waits); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"a", "b"}, m.values); diff != "" {
			t.Error(diff)
		}
	})
}

func TestABrokerThatIsAwayIsWaitedForAndReadOnFromThePositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("connection refused")
		d, m := things([]string{"a", "b", "c", "d"}), &memory{}
		d.away = append(d.away, refused, refused, nil, nil, refused) // Topics, Topics, Topics, Poll, Poll
		for range 100 {
			d.away = append(d.away, refused) // for longer than a sink would be tried
		}
		var told int
		if err := deliver(t, d, m, 4, Events{Retrying: func(err error, _ time.Duration) {
			if !errors.Is(err, refused) {
				t.Errorf("told of %v", err)
			}
			told++
		}}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "b", "c", "d"}, m.values); diff != "" || told != 103 {
			t.Errorf("told %d times; %s", told, diff)
		}
	})
}

func TestALostTopicIsNotWaitedFor(t *testing.T) {
	for _, cause := range []error{client.ErrGap, client.ErrUnknownTopic, client.ErrRecreated} {
		d := things([]string{"a"})
		d.away = []error{nil, fmt.Errorf("things/0: %w", cause)}
		if err := deliver(t, d, &memory{}, 1, Events{}); !errors.Is(err, cause) {
			t.Errorf("got %v, want %v", err, cause)
		}
	}
}

func TestGivesUpAfterRetryFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		for range 1000 {
			m.fail = append(m.fail, connect.Retry(errors.New("database is locked")))
		}
		began := time.Now()
		err := deliver(t, things([]string{"a"}), m, 1, Events{})
		if err == nil || !strings.Contains(err.Error(), "gave up after") || !strings.Contains(err.Error(), "database is locked") {
			t.Errorf("got %v", err)
		}
		if d := time.Since(began); d < DefaultRetryFor || d > DefaultRetryFor+maxBackoff {
			t.Errorf("gave up after %s", d)
		}
	})
}

func TestOtherErrorsStopAtOnce(t *testing.T) {
	for name, cause := range map[string]error{
		"fenced":     connect.ErrFenced,
		"bad record": &connect.RecordError{TopicPartition: thing0, Offset: 5, Err: errors.New("no JSON")},
	} {
		m := &memory{fail: []error{nil, cause}}
		err := deliver(t, things([]string{"a"}), m, 1, Events{})
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), "sink memory") || m.calls != 2 {
			t.Errorf("%s: %v after %d calls", name, err, m.calls)
		}
	}
}

func TestPositionsOfAnotherTopicAreNeverTaken(t *testing.T) {
	for name, held := range map[string]map[record.TopicPartition]connect.Position{
		"made anew":        {thing0: {Offset: 1, TopicID: [16]byte{9}}},
		"fewer partitions": {thing1: {Offset: 1}},
	} {
		m := &memory{held: held}
		err := deliver(t, things([]string{"a", "b"}), m, 1, Events{})
		if !errors.Is(err, client.ErrRecreated) || len(m.values) > 0 {
			t.Errorf("%s: %v, delivered %v", name, err, m.values)
		}
	}
	m := &memory{held: map[record.TopicPartition]connect.Position{thing0: {Offset: 7, TopicID: [16]byte{1}}}}
	if err := deliver(t, things([]string{"a"}), m, 1, Events{}); !errors.Is(err, client.ErrGap) {
		t.Errorf("a position behind the end: %v", err)
	}
}

func TestAnUnknownTopicIDIsNoReasonToStop(t *testing.T) {
	m := &memory{held: map[record.TopicPartition]connect.Position{thing0: {Offset: 1}}} // written when the broker told no id
	if err := deliver(t, things([]string{"a", "b"}), m, 1, Events{}); err != nil {
		t.Fatal(err)
	}
}

func TestEndOfTheContextWhileWaitingIsAnEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	d := &topics{}
	err := Run(ctx, d, &memory{}, Options{Topics: []string{"never"}, Clock: clock.System, Events: Events{Waiting: func([]string) { cancel() }}})
	if err != nil {
		t.Errorf("got %v", err)
	}
}

func TestNothingToReadIsAMistake(t *testing.T) {
	if err := Run(context.Background(), &topics{}, &memory{}, Options{Clock: clock.System}); err == nil {
		t.Error("accepted no topics")
	}
}
