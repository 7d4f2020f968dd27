package engine

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// resident is how many rows the tables of an engine have in memory.
func resident(t *testing.T, e *Engine) int {
	t.Helper()
	stores, err := StoresOf(e)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, st := range stores {
		n += st.Len()
	}
	return n
}

// The tables get next to no memory: rows leave it all the time and come back when they are counted, over a crash and over a start that has
// nothing but the changelog.
func TestTablesOverTheirBudgetCountOnAndStayOutOfMemory(t *testing.T) {
	const keys, rounds = 30, 4
	inWorld(t, func(w *world) {
		counted := 0
		count := func(rounds int) {
			for range rounds {
				for k := range keys {
					w.publish("in", 0, fmt.Sprintf("k%d=x", k))
				}
				counted++
				time.Sleep(10 * time.Millisecond)
			}
		}
		tiny := func(o *Options) { o.State = store.NewBudget(1) }
		e := w.engine(counting(t), tiny)
		l := w.start(e)
		count(rounds)
		l.crash()
		l = w.start(e)
		count(rounds)
		for range 5 { // epochs of another key
			w.publish("in", 0, "other=x")
			time.Sleep(10 * time.Millisecond)
		}
		if n := resident(t, e); n > 3 {
			t.Errorf("%d rows are in memory", n)
		}
		l.stop()

		fresh := w.engine(counting(t), func(o *Options) { tiny(o); o.Checkpoints = kv.NewMemory() })
		l = w.start(fresh)
		if n := resident(t, fresh); n > 3 {
			t.Errorf("%d rows are in memory after they were read from the changelog", n)
		}
		count(1)
		l.stop()
		last := map[string]string{}
		for _, r := range w.read("out") {
			key, n, _ := strings.Cut(r, "=")
			last[key] = n
		}
		for k := range keys {
			if got := last[fmt.Sprint("k", k)]; got != fmt.Sprint(counted) {
				t.Errorf("k%d was counted %s times, want %d", k, got, counted)
			}
		}
	})
}

// counted counts how its keys are read.
type counted struct {
	kv.Store
	gets, all atomic.Int64
}

func (c *counted) Get(key []byte) ([]byte, error) {
	c.gets.Add(1)
	return c.Store.Get(key)
}

func (c *counted) GetAll(keys [][]byte, fn func(i int, value []byte) error) error {
	c.all.Add(1)
	return c.Store.GetAll(keys, fn)
}

// Whatever looks rows up by the keys of its input reads those of a batch together that are not in memory.
func TestRowsThatAreNotInMemoryAreReadByBatches(t *testing.T) {
	text := serde.String
	join := func(v, w string) string { return v + w }
	for name, of := range map[string]func(b *stream.Builder){
		"stream and table": func(b *stream.Builder) {
			right := stream.TableFrom(b, "right", text, text).Filter(func(string) bool { return true })
			stream.JoinTable(stream.From(b, "in", text, text), stream.MapTable(right, strings.ToUpper), join).To("out", text, text)
		},
		"tables": func(b *stream.Builder) {
			left, right := stream.TableFrom(b, "in", text, text), stream.TableFrom(b, "right", text, text)
			stream.JoinTables(left, right, join, stream.Named("both")).Updates().To("out", text, text)
		},
		"a table's groups": func(b *stream.Builder) {
			grouped := stream.GroupTableByWithKey(stream.TableFrom(b, "in", text, text), func(k, v string) (string, string) { return k, v }, text, text)
			stream.MapTable(stream.CountTable(grouped), func(n int64) string { return fmt.Sprint(n) }).Updates().To("out", text, text)
		},
		"windows": func(b *stream.Builder) {
			minutes := stream.Hopping(2*time.Minute, time.Minute, time.Hour)
			grouped := stream.GroupByKey(stream.From(b, "in", text, text))
			stream.CountWindows(stream.WindowedBy(grouped, minutes)).Updates().To("out", stream.WindowedSerde(text, 2*time.Minute), serde.Int64)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.topic("right", 2, nil)
				b := stream.New("app")
				of(b)
				built, err := b.Build()
				if err != nil {
					t.Fatal(err)
				}
				db := &counted{Store: w.state}
				l := w.start(w.engine(built, func(o *Options) { o.State, o.Checkpoints = store.NewBudget(1), db }))
				var rows []string
				for k := range 40 {
					rows = append(rows, fmt.Sprintf("k%d=x", k))
				}
				publish := func(topic string) {
					w.publish(topic, 0, rows...)
					time.Sleep(50 * time.Millisecond)
				}
				publish("right")
				publish("in")
				for range 8 { // epochs of another key, in which those leave
					w.publish("right", 0, "other=x")
					w.publish("in", 0, "other=x")
					time.Sleep(50 * time.Millisecond)
				}
				gets, all := db.gets.Load(), db.all.Load()
				publish("in")
				gets, all = db.gets.Load()-gets, db.all.Load()-all
				if gets > 8 || all == 0 {
					t.Errorf("%d rows were read one by one, %d times many were", gets, all)
				}
				l.stop()
			})
		})
	}
}
