package view_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/view"
)

// An application is one on a broker in memory, whose topics have two partitions.
type application struct {
	*engine.Engine
	t     *testing.T
	door  *local.Door
	stop  context.CancelFunc
	ended chan error
}

// withApplication calls test with an application that has started and waits for input.
func withApplication(t *testing.T, topology *stream.Topology, test func(a *application)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, err := broker.Open(broker.Options{
			FS: vfs.NewCrashable(), Dir: "broker", Clock: clock.System, JournalFileSize: 1 << 20,
			TopicDefaults: map[string]string{"retention.ms": "-1"}, // the records are from 1970
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		a := &application{t: t, door: local.New(b, clock.System)}
		for _, topic := range topology.SourceTopics() {
			if _, err := a.door.EnsureTopics(ctx, client.TopicSpec{Name: topic, Partitions: 2}); err != nil {
				t.Fatal(err)
			}
		}
		a.Engine, err = engine.New(engine.Options{Topology: topology, Door: a.door, Checkpoints: kv.NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		a.start()
		test(a)
		a.end()
		stop()
		if err := errors.Join(<-ended, b.Close()); err != nil {
			t.Error(err)
		}
	})
}

func (a *application) start() {
	ctx, stop := context.WithCancel(a.t.Context())
	a.stop, a.ended = stop, make(chan error, 1)
	go func() { a.ended <- a.Run(ctx) }()
	synctest.Wait()
}

func (a *application) end() {
	a.t.Helper()
	a.stop()
	if err := <-a.ended; err != nil {
		a.t.Error(err)
	}
}

// A put is a record in partition of a topic; an empty value is null.
type put struct {
	partition  int32
	key, value string
	at         record.Timestamp
}

// publish writes records and waits until they are processed and committed.
func (a *application) publish(topic string, puts ...put) {
	a.t.Helper()
	p, err := a.door.OpenProducer(a.t.Context(), "publisher")
	if err != nil {
		a.t.Fatal(err)
	}
	defer p.Close()
	e := p.NewEpoch()
	for _, r := range puts {
		var value []byte
		if r.value != "" {
			value = []byte(r.value)
		}
		if err := e.Append(record.TopicPartition{Topic: topic, Partition: r.partition}, r.at, []byte(r.key), value, nil); err != nil {
			a.t.Fatal(err)
		}
	}
	if err := p.Commit(a.t.Context(), e, nil); err != nil {
		a.t.Fatal(err)
	}
	time.Sleep(time.Second) // of the bubble: everybody has done what there was to do
	synctest.Wait()
}

// A version is what a view says about a key at a time; an empty value: nothing.
type version struct {
	Value string
	From  record.Timestamp
}

func TestAVersionedTableIsReadAsOfATime(t *testing.T) {
	b := stream.New("app")
	prices := stream.TableFrom(b, "prices", serde.String, serde.String, stream.Versioned(100*time.Millisecond), stream.Named("prices"))
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	withApplication(t, topology, func(a *application) {
		v := view.OfVersioned(view.Over(a.Engine), prices)
		a.publish("prices",
			put{0, "tea", "1", 1000}, put{0, "tea", "3", 1060}, put{0, "tea", "2", 1030}, // the last one comes late
			put{1, "rum", "9", 1000}, put{1, "rum", "", 1050}, put{1, "gin", "5", 1090})
		check := func() {
			t.Helper()
			got := map[string][]version{}
			for _, key := range []string{"tea", "rum", "gin", "ale"} {
				value, from, ok, err := v.Get(key)
				got[key] = append(got[key], seen(t, value, from, ok, err))
				for _, at := range []record.Timestamp{999, 1029, 1030, 1059, 1060, 5000} {
					value, from, ok, err := v.AsOf(key, at)
					got[key] = append(got[key], seen(t, value, from, ok, err))
				}
			}
			none, one, two, three := version{}, version{"1", 1000}, version{"2", 1030}, version{"3", 1060}
			rum, gin := version{"9", 1000}, version{"5", 1090}
			want := map[string][]version{
				"tea": {three, none, one, two, two, three, three},
				"rum": {none, none, rum, rum, none, none, none},
				"gin": {gin, none, none, none, none, none, gin},
				"ale": {none, none, none, none, none, none, none},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		check()
		a.end()
		if _, _, _, err := v.Get("tea"); !errors.Is(err, view.ErrNotReadable) {
			t.Errorf("a stopped application answers with %v", err)
		}
		a.start()
		check() // what the changelog and the checkpoint have

		a.publish("prices", put{0, "tea", "4", 1200}) // the history ends at 1100 now, in this partition only
		for at, want := range map[record.Timestamp]version{1060: {}, 1099: {}, 1150: {"3", 1060}, 1200: {"4", 1200}} {
			value, from, ok, err := v.AsOf("tea", at)
			if got := seen(t, value, from, ok, err); got != want {
				t.Errorf("tea as of %d is %v, not %v", at, got, want)
			}
		}
		value, from, ok, err := v.AsOf("rum", 1049)
		if got := seen(t, value, from, ok, err); got.Value != "9" {
			t.Errorf("rum of the other partition as of 1049 is %v", got)
		}
	})
}

func seen(t *testing.T, value string, from record.Timestamp, ok bool, err error) version {
	t.Helper()
	switch {
	case err != nil:
		t.Fatal(err)
	case !ok:
		return version{}
	}
	return version{value, from}
}

func TestAGlobalTableIsReadWhole(t *testing.T) {
	b := stream.New("app")
	names := stream.GlobalTableFrom(b, "names", serde.String, serde.String, stream.Named("names"))
	orders := stream.From(b, "orders", serde.String, serde.String)
	stream.JoinGlobal(orders, names, func(v string) string { return v }, func(v, name string) string { return v + name }).To("out", serde.String, serde.String)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	withApplication(t, topology, func(a *application) {
		v := view.OfGlobal(view.Over(a.Engine), names)
		a.publish("names", put{0, "a", "anna", 5}, put{1, "b", "bert", 6}, put{1, "c", "carl", 7}, put{0, "d", "dora", 8})
		a.publish("names", put{1, "c", "", 9}, put{0, "a", "alma", 10}, put{0, "d", "", 11}, put{0, "d", "dirk", 12})
		a.publish("orders", put{0, "k", "a", 1}) // closes the epoch of what was read before
		check := func() {
			t.Helper()
			got := map[string]version{}
			if err := v.Scan(func(k, name string, at record.Timestamp) bool {
				got[k] = version{name, at}
				return true
			}); err != nil {
				t.Fatal(err)
			}
			want := map[string]version{"a": {"alma", 10}, "b": {"bert", 6}, "d": {"dirk", 12}}
			if !maps.Equal(got, want) {
				t.Errorf("%v instead of %v", got, want)
			}
			for _, key := range []string{"a", "b", "c", "d"} {
				name, ok, err := v.Get(key)
				if err != nil || ok != (want[key] != version{}) || name != want[key].Value {
					t.Errorf("%s is %q, %v, %v", key, name, ok, err)
				}
			}
		}
		check()
		a.end()
		a.start()
		check()
		if _, _, err := view.Named[string, int64](view.Over(a.Engine), "names").Get("a"); err == nil {
			t.Error("a view with the wrong type of values answers")
		}
	})
}

func TestAViewOfAnotherKindOfTableSaysSo(t *testing.T) {
	b := stream.New("app")
	plain := stream.TableFrom(b, "plain", serde.String, serde.String, stream.Named("plain"))
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	withApplication(t, topology, func(a *application) {
		source := view.Over(a.Engine)
		if _, _, _, err := view.OfVersioned(source, plain).Get("k"); err == nil {
			t.Error("a table without a history is read as one with")
		}
		if _, _, err := view.Named[string, string](source, "none").Get("k"); err == nil {
			t.Error("a table that is not there is read")
		}
		a.publish("plain", put{1, "k", "v", 3})
		if value, ok, err := view.Of(source, plain).Get("k"); err != nil || !ok || value != "v" {
			t.Errorf("%q, %v, %v", value, ok, err)
		}
		stopped := 0
		if err := view.Of(source, plain).Scan(func(string, string, record.Timestamp) bool { stopped++; return false }); err != nil || stopped != 1 {
			t.Errorf("the scan goes on after %d rows: %v", stopped, err)
		}
	})
}
