package store

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
	"pgregory.net/rapid"
)

type cell struct {
	v  string
	ts record.Timestamp
}

type logged struct {
	key, value []byte
	ts         record.Timestamp
}

// A world is a table with everything around it that survives a crash, and a model of what it should hold.
type world struct {
	rt        *rapid.T
	db        kv.Store
	ckpt      *Checkpoints
	changelog []logged // durable
	sealed    []logged // handed out by Seal, not yet durable
	table     *Table[string, string]

	newest, sealedRows, committed map[string]cell
	inSeal                        bool
	background                    *CheckpointPart // collected, not yet written
}

func newWorld(rt *rapid.T) *world {
	w := &world{rt: rt, db: kv.NewMemory(), table: newTable(), newest: map[string]cell{}, committed: map[string]cell{}}
	var err error
	w.ckpt, err = OpenCheckpoints(w.db, "app")
	must(rt, err)
	return w
}

func (w *world) key() string { return rapid.StringMatching(`[a-e]`).Draw(w.rt, "key") }

func (w *world) put(*rapid.T) {
	k, v := w.key(), rapid.StringMatching(`[0-9]{0,3}`).Draw(w.rt, "value")
	ts := record.Timestamp(rapid.IntRange(0, 100).Draw(w.rt, "ts"))
	if rapid.Bool().Draw(w.rt, "encoded") {
		w.table.PutEncoded([]byte(k), v, ts, []byte(v))
	} else {
		w.table.Put([]byte(k), v, ts)
	}
	w.newest[k] = cell{v, ts}
}

func (w *world) remove(*rapid.T) {
	k := w.key()
	w.table.Delete([]byte(k))
	delete(w.newest, k)
}

func (w *world) seal(*rapid.T) {
	if w.inSeal {
		return
	}
	seen := map[string]bool{}
	must(w.rt, w.table.Seal(func(k, v []byte, ts record.Timestamp) error {
		if seen[string(k)] {
			w.rt.Fatalf("%s twice in one epoch", k)
		}
		seen[string(k)] = true
		l := logged{key: append([]byte{}, k...), ts: ts}
		if v != nil {
			l.value = append([]byte{}, v...)
		}
		w.sealed = append(w.sealed, l)
		return nil
	}))
	w.sealedRows, w.inSeal = maps.Clone(w.newest), true
}

// durable is the moment at which the client has made the sealed epoch durable.
func (w *world) durable() {
	w.changelog = append(w.changelog, w.sealed...)
	w.sealed, w.inSeal, w.committed = nil, false, w.sealedRows
}

func (w *world) commit(*rapid.T) {
	if w.inSeal {
		w.durable()
	}
	w.table.Commit()
}

func (w *world) collect(*rapid.T) {
	if w.background == nil {
		w.background = &CheckpointPart{"last", 2, record.Offset(len(w.changelog)), w.table.Dirty(), topic, 0, nil}
	}
}

func (w *world) write(*rapid.T) {
	if w.background != nil {
		must(w.rt, w.ckpt.Write([]CheckpointPart{*w.background}))
		w.background = nil
	}
}

// crash drops the table, maybe after the sealed epoch became durable and before Commit.
func (w *world) crash(*rapid.T) {
	if w.inSeal && rapid.Bool().Draw(w.rt, "durable before the crash") {
		w.durable()
	}
	w.sealed, w.inSeal, w.background, w.newest = nil, false, nil, maps.Clone(w.committed)
	w.table = newTable()
	var err error
	w.ckpt, err = OpenCheckpoints(w.db, "app")
	must(w.rt, err)
	next, ok, err := w.ckpt.Load(w.table)
	must(w.rt, err)
	if !ok && next != 0 {
		w.rt.Fatalf("position %d without a checkpoint", next)
	}
	for _, l := range w.changelog[next:] {
		must(w.rt, w.table.Restore(l.key, l.value, l.ts))
	}
}

func (w *world) check(rt *rapid.T) {
	for _, k := range []string{"a", "b", "c", "d", "e"} {
		v, ts, ok := w.table.Get([]byte(k))
		want, wantOK := w.newest[k]
		if ok != wantOK || ok && (cell{v, ts}) != want {
			rt.Fatalf("Get %s is %q @%d %v, want %v %v", k, v, ts, ok, want, wantOK)
		}
	}
	got, want := map[string]string{}, map[string]string{}
	must(rt, NewView(w.table).Scan(func(k, v string) bool { got[k] = v; return true }))
	for k, c := range w.committed {
		want[k] = c.v
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("view: %s", diff)
	}
	if w.table.Len() != len(w.committed) {
		rt.Fatalf("Len is %d, want %d", w.table.Len(), len(w.committed))
	}
}

func TestCheckpointAndChangelogRebuildTheTableAfterAnyCrash(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"put": w.put, "put again": w.put, "remove": w.remove, "seal": w.seal, "commit": w.commit,
			"collect": w.collect, "write": w.write, "crash": w.crash, "": w.check,
		})
	})
}

func TestCheckpointsOfDifferentTablesDoNotMix(t *testing.T) {
	db := kv.NewMemory()
	tables := map[string]*Table[string, string]{}
	for _, app := range []string{"a", "ab"} {
		c, err := OpenCheckpoints(db, app)
		must(t, err)
		for _, name := range []string{"s", "bs"} {
			for p := range int32(2) {
				tb := NewTable(Options[string, string]{Name: name, Partition: p, Key: text{}, Value: text{}})
				id := fmt.Sprint(app, "-", name, "-", p)
				must(t, tb.Restore([]byte("id"), []byte(id), 7))
				must(t, c.Write([]CheckpointPart{{name, p, record.Offset(len(tables)), tb.Dirty(), topic, 0, nil}}))
				tables[id] = tb
			}
		}
	}
	for _, app := range []string{"a", "ab"} {
		c, err := OpenCheckpoints(db, app)
		must(t, err)
		for _, name := range []string{"s", "bs"} {
			for p := range int32(2) {
				tb := NewTable(Options[string, string]{Name: name, Partition: p, Key: text{}, Value: text{}})
				_, ok, err := c.Load(tb)
				must(t, err)
				if want := fmt.Sprint(app, "-", name, "-", p, " @7"); !ok || get(tb, "id") != want || tb.Len() != 1 {
					t.Errorf("%v, %s with %d rows, want %s", ok, get(tb, "id"), tb.Len(), want)
				}
				if tb.Dirty() != nil {
					t.Error("loaded rows are dirty")
				}
			}
		}
	}
}
