package fsck

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func brokerOptions(fs vfs.FS) broker.Options {
	return broker.Options{
		FS: fs, Dir: "/data/broker", Clock: clock.NewManual(testTime),
		JournalFileSize: 32 << 10, SegmentBytes: 4 << 10,
	}
}

// run opens a broker on fs, lets work use it, and ends it; before is called when all is durable and nothing is closed.
func run(t testing.TB, fs vfs.FS, work func(b *broker.Broker), before func()) {
	t.Helper()
	b, err := broker.Open(brokerOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	work(b)
	before()
	cancel()
	if err := errors.Join(<-ended, b.Close()); err != nil {
		t.Fatal(err)
	}
}

func wait[T any](t testing.TB, f *broker.Future[T]) T {
	t.Helper()
	v, err := f.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func create(t testing.TB, b *broker.Broker, name string, partitions int32) {
	t.Helper()
	if r := wait(t, b.CreateTopics([]broker.TopicSpec{{Name: name, Partitions: partitions, Replication: 1}}, false))[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
}

func produce(t testing.TB, b *broker.Broker, topic string, partition int32, batches int) {
	t.Helper()
	for i := range batches {
		var bb batch.Builder
		for j := range 3 {
			bb.Append(record.Timestamp(testTime.UnixMilli()), fmt.Appendf(nil, "key %d", j), fmt.Appendf(nil, "%s/%d: batch %d %0120d", topic, partition, i, j), nil)
		}
		r := wait(t, b.Produce(broker.Produce{Items: []broker.ProduceItem{
			{Ref: broker.TopicRef{Name: topic}, Partition: partition, Bytes: bb.AppendTo(nil)},
		}}))[0]
		if r.Err != nil {
			t.Fatal(r.Err, r.Detail)
		}
	}
}

// A world is a file system at rest.
type world map[string][]byte

func capture(t testing.TB, fs vfs.FS, dir string) world {
	t.Helper()
	w := world{}
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			w[path+"/"] = nil
			for p, b := range capture(t, fs, path) {
				w[p] = b
			}
			continue
		}
		f, err := fs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, info.Size())
		if _, err := f.ReadAt(b, 0); err != nil && len(b) > 0 {
			t.Fatal(err)
		}
		_ = f.Close()
		w[path] = b
	}
	return w
}

// fs makes a new file system of w, with one file changed; a nil change removes it.
func (w world) fs(t testing.TB, file string, change []byte) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashable()
	for path, b := range w {
		if dir, ok := strings.CutSuffix(path, "/"); ok {
			if err := fs.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if path == file {
			if b = change; change == nil {
				continue
			}
		}
		if err := fs.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := fs.Create(path, vfs.Category)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(append([]byte(nil), b...)); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return fs
}

// fill makes a data directory with everything in it, and returns it as a killed and as an orderly ended node leaves it.
func fill(t testing.TB) (killed, ended world) {
	t.Helper()
	fs := vfs.NewCrashable()
	if err := fs.MkdirAll("/data/broker", 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, fs, func(b *broker.Broker) {
		create(t, b, "orders", 2)
		create(t, b, "doomed", 1)
		produce(t, b, "orders", 0, 30)
		produce(t, b, "orders", 1, 5)
		produce(t, b, "doomed", 0, 2)
		if r := wait(t, b.DeleteRecords(record.TopicPartition{Topic: "orders"}, 40)); r.Err != nil {
			t.Fatal(r.Err)
		}
		if r := wait(t, b.DeleteTopics([]broker.TopicRef{{Name: "doomed"}}))[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
	}, func() {})
	run(t, fs, func(b *broker.Broker) {
		create(t, b, "later", 1)
		produce(t, b, "orders", 0, 4)
		produce(t, b, "orders", 1, 4)
		produce(t, b, "later", 0, 3)
		offset := group.OffsetCommit{TopicPartition: record.TopicPartition{Topic: "orders"}, Offset: 77}
		if r := wait(t, b.CommitOffsets("readers", group.Member{Generation: -1}, []group.OffsetCommit{offset})); r.Err != nil || r.Each[0] != nil {
			t.Fatal(r)
		}
	}, func() { killed = capture(t, fs, "/data") })
	return killed, capture(t, fs, "/data")
}

func checked(t testing.TB, fs vfs.FS) Report {
	t.Helper()
	r, err := Check("/data", Options{FS: fs, Clock: clock.NewManual(testTime)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnUndamagedDirectoryHasNoFindings(t *testing.T) {
	killed, ended := fill(t)
	for name, w := range map[string]world{"killed": killed, "ended": ended} {
		fs := w.fs(t, "", nil)
		r := checked(t, fs)
		if len(r.Findings) > 0 || !r.Starts || r.Clean != (name == "ended") {
			t.Errorf("%s: %+v", name, r)
		}
		if r.Partitions < 2 || r.Segments < 4 || r.Batches < 20 || r.Records != 3*r.Batches {
			t.Errorf("%s: too little was read: %+v", name, r)
		}
		for path, b := range capture(t, fs, "/data") {
			if string(w[path]) != string(b) {
				t.Errorf("%s: %s was changed", name, path)
			}
		}
	}
}

func TestADirectoryInUseIsRefused(t *testing.T) {
	killed, _ := fill(t)
	fs := killed.fs(t, "", nil)
	run(t, fs, func(*broker.Broker) {
		if _, err := Check("/data", Options{FS: fs}); !errors.Is(err, ErrLocked) {
			t.Errorf("got %v", err)
		}
	}, func() {})
	if _, err := Check("/", Options{FS: fs}); !errors.Is(err, ErrNoData) {
		t.Errorf("got %v", err)
	}
}

func TestTheTablesPositionsAreComparedWithTheirChangelogs(t *testing.T) {
	fs := vfs.NewCrashable()
	if err := fs.MkdirAll("/data/broker", 0o700); err != nil {
		t.Fatal(err)
	}
	var prices [16]byte // read by a global table
	run(t, fs, func(b *broker.Broker) {
		create(t, b, "app-totals-changelog", 3)
		produce(t, b, "app-totals-changelog", 0, 1)
		produce(t, b, "app-totals-changelog", 1, 1)
		create(t, b, "prices", 1)
		prices = b.Topics().ByName["prices"].ID
	}, func() {})
	db, err := kv.OpenPebble("/data/state", kv.PebbleOptions{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	c, err := store.OpenCheckpoints(db, "app")
	if err != nil {
		t.Fatal(err)
	}
	rows := func(w kv.Writer) error { return w.Put([]byte("k"), []byte("v")) }
	err = c.Write([]store.CheckpointPart{
		{Name: "totals", Partition: 0, Next: 3, Rows: rows},
		{Name: "totals", Partition: 1, Next: 4, Rows: rows},
		{Name: "gone", Partition: 0, Next: 1, Rows: rows, Topic: [16]byte{1}},
		{Name: "every-price", Partition: 0, Next: 7, Rows: rows, Topic: prices},
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	r := checked(t, fs)
	codes := map[string]string{}
	for _, f := range r.Findings {
		codes[f.Code] += f.About + "\n"
	}
	if r.Tables != 4 || len(codes) != 2 || !strings.Contains(codes["table_ahead"], "totals/1 of app is at 4") ||
		!strings.Contains(codes["table_ahead"], "every-price/0 of app is at 7 of prices/0, which ends at 0\n") ||
		!strings.Contains(codes["table_without_changelog"], "gone/0") {
		t.Errorf("%d tables, %v", r.Tables, codes)
	}
	for path := range capture(t, fs, "/data/state") {
		if strings.HasSuffix(path, ".sst") || strings.HasPrefix(filepath.Base(path), "MANIFEST") {
			broken := capture(t, fs, "/data").fs(t, path, []byte("no such format"))
			if r := checked(t, broken); r.Worst() != Damage || r.Findings[0].Code != "state_damaged" {
				t.Errorf("%s: %+v", path, r.Findings)
			}
		}
	}
}
