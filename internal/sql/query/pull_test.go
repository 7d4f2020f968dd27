package query_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/row"
)

// numbers is a table with the keys 1 to n. It calls at before each.
type numbers struct {
	n  int64
	at func(i int64)
}

func (t numbers) Find(plan.Access) iter.Seq2[query.Found, error] {
	return func(yield func(query.Found, error) bool) {
		for i := int64(1); i <= t.n; i++ {
			if t.at != nil {
				t.at(i)
			}
			if !yield(query.Found{Bytes: []byte{byte(255 - i)}, Key: row.NewRow(row.NewBigint(i))}, nil) {
				return
			}
		}
	}
}

// multiples of m are rows of the result.
func multiples(m int64) func(query.Found) (row.Row, bool) {
	return func(f query.Found) (row.Row, bool) { return f.Key, f.Key.At(0).Int64()%m == 0 }
}

// A scan that finds nothing for long ends with its Next, goes on with the next one, and ends with Close.
func TestALongScanIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	rows := query.Pull{Limit: plan.NoLimit, Row: multiples(60)}.Run(numbers{100, func(i int64) {
		if i == 50 {
			cancel()
			for context.Cause(ctx) == nil {
			}
		}
	}})
	defer rows.Close()
	batch, err := rows.Next(ctx)
	if err == nil { // the end of ctx was told behind the scan
		if len(batch) != 1 {
			t.Fatalf("rows %v", batch)
		}
		return
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if batch, err = rows.Next(t.Context()); err != nil || len(batch) != 1 || batch[0].Values.At(0).Int64() != 60 {
		t.Fatalf("rows %v, error %v", batch, err)
	}
	if _, err := rows.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}

func TestCloseEndsAScanThatFindsNothing(t *testing.T) {
	begun := make(chan struct{})
	rows := query.Pull{Limit: plan.NoLimit, Row: multiples(1 << 62)}.Run(numbers{1 << 60, func(i int64) {
		if i == 1 {
			close(begun)
		}
	}})
	go func() {
		<-begun
		rows.Close()
	}()
	if _, err := rows.Next(t.Context()); !errors.Is(err, query.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestRowsComeInBatches(t *testing.T) {
	rows := query.Pull{Limit: plan.NoLimit, Row: multiples(1)}.Run(numbers{n: 2500})
	defer rows.Close()
	var sizes []int
	for {
		batch, err := rows.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(batch))
	}
	if len(sizes) != 3 || sizes[0] != 1024 || sizes[2] != 2500-2048 {
		t.Errorf("batches of %d", sizes)
	}
}

func TestALimitKeepsTheFirstKeysInOrder(t *testing.T) {
	rows := query.Pull{Limit: 3, Row: multiples(2)}.Run(numbers{n: 100}) // the bytes of their keys go down
	defer rows.Close()
	batch, err := rows.Next(t.Context())
	if err != nil || len(batch) != 3 {
		t.Fatalf("rows %v, error %v", batch, err)
	}
	for i, want := range []int64{100, 98, 96} {
		if got := batch[i].Values.At(0).Int64(); got != want {
			t.Errorf("row %d is %d, want %d", i, got, want)
		}
	}
}
