package deliver_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/connect/deliver"
	"github.com/mainstemio/mainstem/record"
)

// memory is a target in memory.
type memory struct {
	values map[string]bool
	held   map[record.TopicPartition]connect.Position
	fail   error // of Write
}

func (m *memory) Name() string { return "memory" }
func (m *memory) Close() error { return nil }

func (m *memory) Open(context.Context) (map[record.TopicPartition]connect.Position, error) {
	if m.held == nil {
		m.held, m.values = map[record.TopicPartition]connect.Position{}, map[string]bool{}
	}
	return m.held, nil
}

func (m *memory) Write(_ context.Context, b connect.Batch) error {
	for _, r := range b.Records {
		if m.values[string(r.Value)] {
			return errors.New("delivered twice: " + string(r.Value))
		}
		m.values[string(r.Value)] = true
	}
	for tp, p := range b.Positions {
		m.held[tp] = p
	}
	return m.fail
}

func cluster(t *testing.T) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "things"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

func produce(t *testing.T, broker string, values ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic("things"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, v := range values {
		if err := client.ProduceSync(context.Background(), kgo.KeyStringRecord(v, v)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// run delivers until the target holds n values.
func run(t *testing.T, broker string, m *memory, n int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := deliver.Run(ctx, m, deliver.Config{Brokers: []string{broker}, Topics: []string{"things"}, Written: func(w deliver.Written) {
		if len(m.values) == n && w.Lag == 0 {
			cancel()
		}
	}})
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatalf("%d values of %d were delivered: %v", len(m.values), n, err)
	}
	return err
}

func TestDeliversAllAndGoesOnWhereItWas(t *testing.T) {
	broker, m := cluster(t), &memory{}
	produce(t, broker, "a", "b", "c", "d")
	if err := run(t, broker, m, 4); err != nil {
		t.Fatal(err)
	}
	produce(t, broker, "e", "f")
	if err := run(t, broker, m, 6); err != nil {
		t.Fatal(err)
	}
}

func TestAFencedSinkEnds(t *testing.T) {
	broker, m := cluster(t), &memory{fail: connect.ErrFenced}
	produce(t, broker, "a")
	if err := run(t, broker, m, -1); !errors.Is(err, connect.ErrFenced) {
		t.Errorf("got %v", err)
	}
}

// onWarning calls itself when something is logged as a warning.
type onWarning func(string)

func (f onWarning) Enabled(context.Context, slog.Level) bool { return true }
func (f onWarning) WithAttrs([]slog.Attr) slog.Handler       { return f }
func (f onWarning) WithGroup(string) slog.Handler            { return f }
func (f onWarning) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		f(r.Message)
	}
	return nil
}

func TestABrokerThatIsNotThereYetIsWaitedFor(t *testing.T) {
	const nobody = "127.0.0.1:1" // nor is it given to anybody who asks for some port
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	told := 0
	log := slog.New(onWarning(func(string) {
		if told++; told == 2 {
			cancel()
		}
	}))
	if err := deliver.Run(ctx, &memory{}, deliver.Config{Brokers: []string{nobody}, Topics: []string{"things"}, Logger: log}); err != nil || told != 2 {
		t.Errorf("told %d times, %v", told, err)
	}
}

func TestItNeedsABrokerAndTopics(t *testing.T) {
	if err := deliver.Run(context.Background(), &memory{}, deliver.Config{Topics: []string{"x"}}); err == nil {
		t.Error("no broker was accepted")
	}
	err := deliver.Run(context.Background(), &memory{}, deliver.Config{Brokers: []string{cluster(t)}})
	if err == nil || !strings.Contains(err.Error(), "needs topics") {
		t.Errorf("no topics: %v", err)
	}
}
