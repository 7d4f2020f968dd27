package txn

import (
	"bytes"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/format"
	"github.com/mainstemio/mainstem/record"
)

// sampleSnapshot is the state of a machine that has used every kind of record but the forgetting.
func sampleSnapshot(t testing.TB) []byte {
	m := New(Options{})
	m.Init(0, Init{})
	p, _, _, err := m.Init(0, Init{ID: "open", Timeout: time.Minute, Current: None})
	if err != nil {
		t.Fatal(err)
	}
	tps := []record.TopicPartition{{Topic: "payments", Partition: 0}, {Topic: "payments", Partition: 7}, {Topic: "refunds", Partition: 1}}
	if _, err := m.AddPartitions(0, 1_700_000_000_000, "open", p, tps); err != nil {
		t.Fatal(err)
	}
	if _, err := m.AddGroup(0, 1_700_000_000_000, "open", p, "orders"); err != nil {
		t.Fatal(err)
	}
	p, _, _, _ = m.Init(0, Init{ID: "ended", Timeout: time.Minute, Current: None})
	if _, _, _, err := m.End(0, "ended", p, false, true); err != nil {
		t.Fatal(err)
	}
	return m.AppendSnapshot(nil)
}

// Whatever a record holds, Apply refuses it or takes it whole; what it takes survives a snapshot and the machine goes on.
func FuzzApply(f *testing.F) {
	base := sampleSnapshot(f)
	_ = format.Frames(base, func(rec []byte) error { f.Add(rec); return nil })
	f.Add(appendForgotten(nil, "open"))
	f.Fuzz(func(t *testing.T, rec []byte) {
		m := New(Options{})
		if err := m.LoadSnapshot(base); err != nil {
			t.Fatal(err)
		}
		if err := m.Apply(rec); err != nil {
			if !bytes.Equal(m.AppendSnapshot(nil), base) {
				t.Fatal("a refused record changed the state")
			}
			return
		}
		compareReload(t, m)
		m.Restored(0)
		for range 100 {
			at, ok := m.Next()
			if !ok {
				break
			}
			m.Tick(at)
		}
	})
}

func FuzzLoadSnapshot(f *testing.F) {
	f.Add(sampleSnapshot(f))
	f.Add([]byte{2, recordVersion, kindProducer})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := New(Options{})
		if m.LoadSnapshot(b) == nil {
			compareReload(t, m)
		}
	})
}

func compareReload(t *testing.T, m *Txns) {
	snapshot := m.AppendSnapshot(nil)
	again := New(Options{})
	if err := again.LoadSnapshot(snapshot); err != nil {
		t.Fatalf("own snapshot: %v", err)
	}
	if !bytes.Equal(again.AppendSnapshot(nil), snapshot) {
		t.Fatal("a snapshot does not rebuild its state")
	}
}

// The bytes of version 1 are on users' disks: a change of this golden value is a new version.
func TestRecordBytesOfVersion1(t *testing.T) {
	want, err := os.ReadFile("testdata/snapshot-v1.hex")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.Dump(sampleSnapshot(t)); got != string(want) {
		t.Errorf("the record format changed:\n%s", got)
	}
}
