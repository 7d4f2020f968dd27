package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
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
