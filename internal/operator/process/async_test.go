package process_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/process"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A sink collects rows.
type sink struct{ rows []string }

func (s *sink) Receive(b *operator.Batch[string, string]) error {
	for _, i := range b.Sel {
		s.rows = append(s.rows, b.Keys[i]+"="+b.Values[i])
	}
	return nil
}

// goroutines is as the engine's Caller, with all calls of a round at the same time.
func goroutines(n, limit int, call func(context.Context, int)) {
	for from := 0; from < n; from += limit {
		var joined sync.WaitGroup
		for i := from; i < min(from+limit, n); i++ {
			joined.Go(func() { call(context.Background(), i) })
		}
		joined.Wait()
	}
}

func asynchronous(t *testing.T, out *sink, f func(context.Context, string, int) (string, error)) operator.Receiver[string, int] {
	t.Helper()
	site := &operator.Site{Env: &operator.Env{Calls: goroutines}, Task: operator.NewTask(), Node: "async", Children: []any{out}}
	made, err := process.MapAsync[string, int, string]{Func: f, Key: serde.String.Append, InFlight: 4}.Instance(site)
	if err != nil {
		t.Fatal(err)
	}
	return made.(operator.Receiver[string, int])
}

func batch(n int) *operator.Batch[string, int] {
	b := &operator.Batch[string, int]{Rows: operator.Rows{Sel: operator.FirstRows(n)}}
	for i := range n {
		b.Keys, b.Values = append(b.Keys, fmt.Sprint("k", i%7)), append(b.Values, i)
		b.Timestamps, b.Origins = append(b.Timestamps, record.Timestamp(i)), append(b.Origins, operator.Origin{Offset: record.Offset(i)})
	}
	return b
}

func TestMapAsyncKeepsTheOrderOfEachKey(t *testing.T) {
	var mu sync.Mutex
	called := map[string][]int{}
	running, most := 0, 0
	out := &sink{}
	step := asynchronous(t, out, func(_ context.Context, k string, v int) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		running++
		most = max(most, running)
		called[k] = append(called[k], v)
		running--
		return fmt.Sprint(v), nil
	})
	for range 2 {
		if err := step.Receive(batch(1000)); err != nil {
			t.Fatal(err)
		}
	}
	for k, values := range called {
		if !slices.IsSorted(values[:len(values)/2]) || !slices.IsSorted(values[len(values)/2:]) {
			t.Errorf("%s was called for with %v", k, values)
		}
	}
	if len(out.rows) != 2000 || most > 4 {
		t.Fatalf("%d rows, %d calls at once", len(out.rows), most)
	}
	for i, row := range out.rows {
		if row != fmt.Sprintf("k%d=%d", i%1000%7, i%1000) {
			t.Fatalf("row %d is %s", i, row)
		}
	}
}

func TestMapAsyncFailsWithTheFirstBadRow(t *testing.T) {
	out := &sink{}
	step := asynchronous(t, out, func(_ context.Context, _ string, v int) (string, error) {
		switch {
		case v == 30:
			panic("secret")
		case v > 30 && v%5 == 0:
			return "", errors.New("secret")
		}
		return "", nil
	})
	var failed *operator.RowError
	if err := step.Receive(batch(100)); !errors.As(err, &failed) || failed.Origin.Offset != 30 || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	if len(out.rows) != 0 {
		t.Errorf("%d rows went on", len(out.rows))
	}
}
