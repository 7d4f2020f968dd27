package window

import (
	"fmt"
	"testing"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A sessionBench is an instance that counts in sessions, with nothing behind it.
type sessionBench struct {
	t   *testing.T
	env *operator.Env
	in  operator.Receiver[string, string]
}

func newSessionBench(t *testing.T, final bool) *sessionBench {
	t.Helper()
	b := &sessionBench{t: t, env: &operator.Env{MaxRecordBytes: 1 << 20}}
	made, err := Sessions[string, int64]{
		Aggregation: Aggregation[string, int64]{
			Store: "s", Key: serde.String, Value: serde.Int64, Grace: 100, Retention: 400, Final: final,
			Inputs: []Input[string, int64]{Values[string, string, int64]{
				AnyValue: true, Add: func(_ string, n int64, _ string) (int64, error) { return n + 1, nil },
			}},
		},
		Gap: 100, Merge: func(_ string, a, b int64) int64 { return a + b },
	}.Instance(&operator.Site{Env: b.env, Task: operator.NewTask(), Node: "sessions", Inputs: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	b.in = made.(operator.Receiver[string, string])
	return b
}

// pipe takes rows of one time as a unit and commits.
func (b *sessionBench) pipe(at record.Timestamp, keys ...string) {
	b.t.Helper()
	n := len(keys)
	batch := &operator.Batch[string, string]{Keys: keys, Values: make([]string, n)}
	batch.Sel, batch.Timestamps, batch.Origins = operator.FirstRows(n), make([]record.Timestamp, n), make([]operator.Origin, n)
	for i := range keys {
		batch.Timestamps[i] = at
	}
	if err := b.in.Receive(batch); err != nil {
		b.t.Fatal(err)
	}
	for _, u := range b.env.Undoers {
		u.Keep()
	}
	b.env.Arena.Reset()
	if err := b.table().Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }); err != nil {
		b.t.Fatal(err)
	}
	b.table().Commit()
}

func (b *sessionBench) table() *store.Table[windowed.Key[string], int64] {
	return b.env.Stores[0].(*store.Table[windowed.Key[string], int64])
}

func TestSessionsThatAreOverFreeTheirMemory(t *testing.T) {
	for _, final := range []bool{false, true} {
		b := newSessionBench(t, final)
		for at := record.Timestamp(0); at < 100_000; at += 50 {
			keys := []string{"busy"}
			for i := range 5 {
				keys = append(keys, fmt.Sprint("k", int(at)+i))
			}
			b.pipe(at, keys...)
			if n := b.table().Len(); n > 5*(400+200)/50 {
				t.Fatalf("final %t: %d sessions at %d", final, n, at)
			}
		}
		key := windowed.AppendSession(nil, []byte("busy"), 0, 99_950)
		if n, _, ok := b.table().Get(key); !ok || n != 2000 {
			t.Errorf("final %t: the session that goes on has %d records, found %t", final, n, ok)
		}
	}
}

func TestARecordJoinsTwoSessionsAmongMany(t *testing.T) {
	const n = 300
	b := newSessionBench(t, false)
	for i := range record.Timestamp(n) {
		b.pipe(1000+i%3, fmt.Sprint("other", i))
	}
	b.pipe(1000, "k")
	b.pipe(1200, "k")
	b.pipe(1100, "k")
	if v, _, ok := b.table().Get(windowed.AppendSession(nil, []byte("k"), 1000, 1200)); !ok || v != 3 {
		t.Errorf("the session has %d records, found %t", v, ok)
	}
	if got := b.table().Len(); got != n+1 {
		t.Errorf("%d sessions, want %d", got, n+1)
	}
}

// The bytes of one key may go on as those of another: its sessions stand among the others'.
func TestSessionsOfKeysThatBeginAlike(t *testing.T) {
	b := newSessionBench(t, false)
	short := "k"
	long := string(windowed.AppendSession(nil, []byte(short), 0, 1000)) // as a session of the short one
	longer := long + "\x00"
	for _, at := range []record.Timestamp{1000, 1050, 1020} {
		b.pipe(at, short, long, longer)
	}
	for _, k := range []string{short, long, longer} {
		if v, _, ok := b.table().Get(windowed.AppendSession(nil, []byte(k), 1000, 1050)); !ok || v != 3 {
			t.Errorf("key %q: the session has %d records, found %t", k, v, ok)
		}
	}
}
