package broker

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mainstemio/mainstem/internal/broker/checkpointfile"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// listing describes every file below dir, with its bytes.
func listing(t *testing.T, fs vfs.FS, dir string) string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, n := range names {
		path := fs.PathJoin(dir, n)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			b.WriteString(listing(t, fs, path))
			continue
		}
		bytes, err := readFile(fs, path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %x\n", path, bytes)
	}
	return b.String()
}

func TestSecondOpenIsLockedOut(t *testing.T) {
	n := newNode(t)
	_, err := Open(n.o)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "data") {
		t.Errorf("error %v", err)
	}
	n.topic("a", 1, nil)
}

func TestCleanRestartReplaysNothing(t *testing.T) {
	n := newNode(t)
	id := n.ClusterID()
	if len(id) != 22 {
		t.Errorf("cluster id %q", id)
	}
	n.topic("a", 1, nil)
	n.mustProduce("a", 0, plain("x"))
	n = n.restart()
	if n.ClusterID() != id || n.NodeID() != 1 {
		t.Errorf("cluster id %q after a restart, was %q", n.ClusterID(), id)
	}
	for _, e := range n.events.seen {
		if e.Kind == "recovered" && (e.Fields[1] != true || e.Fields[5] != 0) {
			t.Errorf("recovery was %v", e.Fields)
		}
	}
	n = n.restart()
	if got := values(n.read("a", 0, false)); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestCheckpointsBoundTheJournal(t *testing.T) {
	n := newNode(t)
	n.topic("a", 3, nil)
	p := n.producer("")
	want := 0
	for i := range int32(120) {
		n.mustProduce("a", i%3, sent(p, i/3, strings.Repeat("x", 10_000)))
		want++
		n.kept()
	}
	if got := n.events.count("checkpoint"); got < 2 {
		t.Errorf("%d checkpoints after four journal files", got)
	}
	if got := n.journal.Files(); got > 3 {
		t.Errorf("%d journal files are kept", got)
	}
	for _, at := range n.everyWay() {
		got := len(at.read("a", 0, false)) + len(at.read("a", 1, false)) + len(at.read("a", 2, false))
		if got != want {
			t.Errorf("%d records, want %d", got, want)
		}
		if r := at.produce("a", 0, sent(p, 39, strings.Repeat("x", 10_000))); r.Err != nil || r.BaseOffset != 39 {
			t.Errorf("a repetition answers %+v", r)
		}
	}
}

func TestDeletedFilesSurviveUntilACheckpointKnows(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.topic("b", 1, nil)
	for range 10 {
		n.mustProduce("a", 0, plain(strings.Repeat("x", 5000)))
	}
	n.mustProduce("b", 0, plain("x"))
	n = n.restart() // the checkpoint describes both logs
	for range 10 {
		n.mustProduce("a", 0, plain(strings.Repeat("x", 5000)))
	}
	wantErr(t, get(t, n.DeleteRecords(tp("a", 0), 15)).Err, nil)
	get(t, n.DeleteTopics([]TopicRef{{Name: "b"}}))
	size := n.LogSize(tp("a", 0))
	for _, at := range []*node{n.crash(), n} {
		if got := len(at.read("a", 0, false)); got != 5 {
			t.Errorf("%d records, want 5", got)
		}
		if at.Topics().ByName["b"] != nil {
			t.Error("b is back")
		}
		at.mustProduce("a", 0, plain("y"))
	}
	n = n.restart().restart()
	if got := n.LogSize(tp("a", 0)); got >= size {
		t.Errorf("%d bytes after the start advanced, %d before", got, size)
	}
}

func TestTopicDeletedBehindTheCheckpointNeedsNoFiles(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.topic("b", 1, nil)
	n.mustProduce("a", 0, plain("x"))
	n.mustProduce("b", 0, plain("x"))
	n = n.restart() // the checkpoint describes both logs
	n.mustProduce("b", 0, plain("y"))
	get(t, n.DeleteTopics([]TopicRef{{Name: "b"}}))
	dir := n.o.FS.PathJoin("data", logsName)
	n.eventually("the files are gone", func() bool {
		names, err := n.o.FS.List(dir)
		return err == nil && len(names) == 1
	})
	n = n.crash()
	if n.Topics().ByName["b"] != nil || len(n.read("a", 0, false)) != 1 {
		t.Error("the topics are not as they were")
	}
	if n.events.count("partition damaged") > 0 {
		t.Error("a deleted partition is reported as damaged")
	}
}

func TestCutSeriesOfFragmentsIsForgotten(t *testing.T) {
	f := frame.TopicCreated{Name: "a", ID: TopicID{1}, First: 1, Count: 2, Configs: map[string]string{"retention.ms": "7"}}
	whole := f.Append(nil)
	fragment := func(first bool, kind frame.Kind, b []byte) []byte {
		return append(append(frame.AppendBool(nil, first), byte(kind)), b...)
	}
	r := newRecovery(options(vfs.NewCrashable()).withDefaults())
	for _, body := range [][]byte{
		fragment(true, 0, []byte("cut off by ")), fragment(false, 0, []byte("a crash")),
		fragment(true, 0, whole[:5]), fragment(false, 0, whole[5:9]), fragment(false, frame.KindTopicCreated, whole[9:]),
	} {
		if err := r.apply(frame.KindFragment, body); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.st.topics["a"]; got == nil || len(got.parts) != 2 || got.Configs["retention.ms"] != "7" {
		t.Errorf("got %+v", got)
	}
	for _, bad := range [][]byte{nil, {1}, fragment(true, frame.KindFragment, nil), fragment(true, frame.KindLast+1, nil), fragment(true, frame.KindTopicCreated, nil)} {
		if err := r.apply(frame.KindFragment, bad); err == nil {
			t.Errorf("fragment %x is taken", bad)
		}
	}
}

// An unreadable directory and the error that must come, with nothing changed.
func TestUnreadableDirectoryIsLeftAlone(t *testing.T) {
	seed := func(t *testing.T) Options {
		n := newNode(t)
		n.topic("a", 1, nil)
		n.mustProduce("a", 0, plain("x"))
		if err := n.halt(); err != nil {
			t.Fatal(err)
		}
		n = boot(t, n.o) // and something behind the checkpoint
		n.mustProduce("a", 0, plain("y"))
		o := n.o
		o.FS = n.o.FS.(*vfs.MemFS).CrashClone(crashConfig{})
		return o
	}
	rewrite := func(t *testing.T, o Options, f func([]byte)) {
		for _, path := range checkpoints(t, o) {
			b, err := readFile(o.FS, path)
			if err != nil {
				t.Fatal(err)
			}
			f(b)
			if err := writeFile(o.FS, path, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		about string
		harm  func(*testing.T, Options)
		want  error
	}{
		{"damaged checkpoint", func(t *testing.T, o Options) {
			rewrite(t, o, func(b []byte) { b[len(b)/2] ^= 1 })
		}, ErrUnreadable},
		{"newer checkpoint", func(t *testing.T, o Options) {
			rewrite(t, o, func(b []byte) { b[5] = 9 })
		}, ErrNewerFormat},
		{"lost checkpoint", func(t *testing.T, o Options) {
			for _, path := range checkpoints(t, o) {
				if err := o.FS.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}, ErrUnreadable},
		{"lost journal", func(t *testing.T, o Options) {
			if err := o.FS.RemoveAll(o.FS.PathJoin(o.Dir, journalName)); err != nil {
				t.Fatal(err)
			}
		}, ErrUnreadable},
		{"lost log", func(t *testing.T, o Options) {
			if err := o.FS.RemoveAll(o.FS.PathJoin(o.Dir, logsName, partitionDir(1))); err != nil {
				t.Fatal(err)
			}
		}, ErrUnreadable},
		{"frame of a newer version", func(t *testing.T, o Options) {
			j, err := journal.Open(journal.Options{FS: o.FS, Dir: o.FS.PathJoin(o.Dir, journalName), FileSize: o.JournalFileSize})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Replay(1, func(journal.Frame) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Append(journal.Kind(frame.KindLast+1), journal.Copied([]byte("?"))...); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}, ErrNewerFormat},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			o := seed(t)
			test.harm(t, o)
			if test.about == "lost journal" {
				if err := o.FS.MkdirAll(o.FS.PathJoin(o.Dir, journalName), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			before := listing(t, o.FS, o.Dir)
			_, err := Open(o)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "data") || !strings.Contains(err.Error(), ";") {
				t.Errorf("error %v, want %v with path and next step", err, test.want)
			}
			if after := listing(t, o.FS, o.Dir); before != after {
				t.Error("the directory was changed")
			}
		})
	}
}

// checkpoints returns the paths of the two files of the checkpoint.
func checkpoints(t *testing.T, o Options) []string {
	t.Helper()
	names, err := o.FS.List(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, n := range names {
		if _, ok := checkpointfile.Parse(n); ok {
			paths = append(paths, o.FS.PathJoin(o.Dir, n))
		}
	}
	if len(paths) != 2 {
		t.Fatalf("checkpoint files %v", paths)
	}
	return paths
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

func writeFile(fs vfs.FS, path string, b []byte) error {
	f, err := fs.Create(path, vfs.Category)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func TestADamagedCheckpointIsReadFromItsCopy(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.mustProduce("a", 0, plain("x"))
	for _, path := range checkpoints(t, n.o) {
		if err := n.halt(); err != nil {
			t.Fatal(err)
		}
		n.o.FS = n.o.FS.(*vfs.MemFS).CrashClone(crashConfig{})
		if err := writeFile(n.o.FS, path, []byte("?")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		n = boot(t, n.o)
		if got := len(n.read("a", 0, true)); got != 1 {
			t.Errorf("%d records are there", got)
		}
	}
}

func TestALostLogStopsItsPartitionOnly(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, nil)
	n.mustProduce("a", 0, plain("x"))
	n.mustProduce("a", 1, plain("y"))
	n = n.restart() // the checkpoint describes both logs
	n.mustProduce("a", 0, plain("behind"))
	n.o.FS = n.o.FS.(*vfs.MemFS).CrashClone(crashConfig{})
	if err := n.o.FS.RemoveAll(n.o.FS.PathJoin(n.o.Dir, logsName, partitionDir(1))); err != nil {
		t.Fatal(err)
	}
	n = boot(t, n.o)
	for range 2 {
		if n.events.count("partition damaged") != 1 {
			t.Errorf("%d events about the damage", n.events.count("partition damaged"))
		}
		wantErr(t, n.produce("a", 0, plain("w")).Err, kerr.KafkaStorageError)
		n.mustProduce("a", 1, plain("w"))
		n = n.restart()
	}
	if got := len(n.read("a", 1, true)); got != 3 {
		t.Errorf("the other partition holds %d records", got)
	}
	if r := get(t, n.DeleteTopics([]TopicRef{{Name: "a"}})); r[0].Err != nil {
		t.Errorf("the topic cannot be deleted: %v", r[0].Err)
	}
}

func TestDamagedLogStopsItsPartitionOnly(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, nil)
	n.mustProduce("a", 0, plain("x", "y"))
	n.mustProduce("a", 1, plain("z"))
	n = n.restart() // the checkpoint describes both logs
	n.mustProduce("a", 0, plain("behind"))
	n.mustProduce("a", 0, plain("the checkpoint"))
	n.o.FS = n.o.FS.(*vfs.MemFS).CrashClone(crashConfig{})
	fs := n.o.FS
	dir := fs.PathJoin(n.o.Dir, logsName, partitionDir(1))
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		path := fs.PathJoin(dir, name)
		b, err := readFile(fs, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeFile(fs, path, b[:len(b)-1]); err != nil {
			t.Fatal(err)
		}
	}
	n = boot(t, n.o)
	rescued, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	rescued = slices.DeleteFunc(rescued, func(name string) bool { return !strings.HasPrefix(name, "rescued-") })
	if len(rescued) != 1 {
		t.Fatalf("rescue files %v", rescued)
	}
	if b, err := readFile(fs, fs.PathJoin(dir, rescued[0])); err != nil || endOf(b) != 4 {
		t.Errorf("the batches behind the checkpoint were not rescued: %v, end %d", err, endOf(b))
	}
	for range 2 {
		if n.events.count("partition damaged") != 1 {
			t.Errorf("%d events about the damage", n.events.count("partition damaged"))
		}
		wantErr(t, n.produce("a", 0, plain("w")).Err, kerr.KafkaStorageError)
		wantErr(t, n.Fetch(Fetch{Ref: TopicRef{Name: "a"}, LeaderEpoch: -1}).Err, kerr.KafkaStorageError)
		wantErr(t, n.ListOffset(TopicRef{Name: "a"}, 0, atEnd, false).Err, kerr.KafkaStorageError)
		wantErr(t, get(t, n.OpenEpochs("g").Append(Epoch{Batches: []EpochBatch{out("a", 1, "w"), out("a", 0, "w")}})).Err, kerr.KafkaStorageError)
		wantErr(t, get(t, n.DeleteRecords(tp("a", 0), 1)).Err, kerr.KafkaStorageError)
		n.mustProduce("a", 1, plain("w"))
		p := n.producer("tx")
		wantErr(t, get(t, n.AddPartitions("tx", p, []record.TopicPartition{tp("a", 0), tp("a", 1)}))[0], nil)
		n.end("tx", p, true, false)
		n = n.restart()
	}
	if got := len(n.read("a", 1, true)); got != 3 {
		t.Errorf("the sound partition holds %d records", got)
	}
	if r := get(t, n.DeleteTopics([]TopicRef{{Name: "a"}})); r[0].Err != nil {
		t.Errorf("a damaged topic cannot be deleted: %v", r[0].Err)
	}
}

func TestStorageErrorStopsAcknowledging(t *testing.T) {
	for _, op := range []string{"sync-data", "write-at"} {
		t.Run(op, func(t *testing.T) {
			mem := vfs.NewCrashable()
			broken := make(chan struct{})
			failure := errors.New("the disk is gone")
			o := options(vfs.FailOp(mem, func(name, path string) error {
				select {
				case <-broken:
					if name == op {
						return failure
					}
				default:
				}
				return nil
			}))
			n := boot(t, o)
			n.topic("a", 1, nil)
			n.mustProduce("a", 0, plain("x"))
			first := get(t, n.JoinGroup(join("g", "")))
			get(t, n.SyncGroup(joinSync(first.Generation, first.MemberID)))
			parked := n.JoinGroup(join("g", ""))
			close(broken)
			var fs []*Future[[]ProduceResult]
			for range 10 {
				fs = append(fs, n.Produce(Produce{Items: []ProduceItem{item("a", 0, plain("y"))}}))
			}
			if err := <-n.ended; !errors.Is(err, failure) {
				t.Errorf("Run returns %v", err)
			}
			n.ended <- nil
			for _, f := range fs {
				wantErr(t, get(t, f)[0].Err, kerr.KafkaStorageError)
			}
			wantErr(t, get(t, parked).Err, kerr.KafkaStorageError)
			wantErr(t, n.produce("a", 0, plain("z")).Err, kerr.KafkaStorageError)
			if _, err := n.ListGroups().Wait(t.Context()); !errors.Is(err, ErrStopped) {
				t.Errorf("a list after the failure: %v", err)
			}
			if got := values(n.read("a", 0, false)); !slices.Equal(got, []string{"x"}) {
				t.Errorf("readers see %v", got)
			}
			after := options(mem.CrashClone(crashConfig{}))
			if got := values(boot(t, after).read("a", 0, false)); len(got) == 0 || got[0] != "x" {
				t.Errorf("after the restart: %v", got)
			}
		})
	}
}

func TestCloseRefusesWhileRunning(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	if err := n.Close(); err == nil {
		t.Error("Close beside Run returns no error")
	}
	if err := n.Run(t.Context()); err == nil {
		t.Error("a second Run returns no error")
	}
}

func TestOpenWithoutRunServesReads(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, nil)
	n.mustProduce("a", 0, plain("x"))
	if err := n.halt(); err != nil {
		t.Fatal(err)
	}
	b, err := Open(n.o)
	if err != nil {
		t.Fatal(err)
	}
	if r := b.Fetch(Fetch{Ref: TopicRef{Name: "a"}, LeaderEpoch: -1}); r.Err != nil || len(r.Batches) == 0 {
		t.Errorf("%+v", r)
	}
	waiting := b.InitProducer(txn.Init{})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, get(t, waiting).Err, kerr.CoordinatorNotAvailable)
}

func TestStats(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, nil)
	n.mustProduce("a", 0, plain("x", "y"))
	s := n.Stats()
	if s.Topics != 1 || s.Partitions != 2 || s.Records != 2 || s.Bytes == 0 || s.Syncs < 2 {
		t.Errorf("%+v", s)
	}
}

// Topics that came and went since the checkpoint are not written again: a disk that held one after the other holds a restart.
func TestReplayLeavesOutWhatTheJournalDeletes(t *testing.T) {
	mem := vfs.NewCrashable()
	var written atomic.Int64
	o := options(vfs.OnOp(mem, func(op, path string) {
		if strings.HasPrefix(op, "write") && strings.Contains(path, "partitions/0000000") {
			written.Add(1)
		}
	}))
	o.JournalFileSize, o.SegmentBytes = 32<<20, 32<<20
	n := boot(t, o)
	n.topic("kept", 1, nil)
	n.mustProduce("kept", 0, plain("kept"))
	for i := range 3 {
		name := fmt.Sprint("gone-", i)
		n.topic(name, 1, nil)
		if r := get(t, n.CreatePartitions(name, 2, false)); r.Err != nil {
			t.Fatal(r.Err)
		}
		for at := range int32(6) { // more than replay keeps in memory
			n.mustProduce(name, at%2, plain(strings.Repeat("x", 900_000)))
		}
		if i < 2 {
			get(t, n.DeleteTopics([]TopicRef{{Name: name}}))
		}
	}
	crashed := mem.CrashClone(crashConfig{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	o.FS = vfs.OnOp(crashed, func(op, path string) {
		if strings.HasPrefix(op, "write") && strings.Contains(path, "partitions/0000000") {
			written.Add(1)
		}
	})
	written.Store(0)
	n = boot(t, o)
	if got := written.Load(); got > 7 {
		t.Errorf("%d writes to logs, of 7 batches that are left", got)
	}
	if names, err := crashed.List("data/partitions"); err != nil || len(names) != 3 {
		t.Errorf("%v are left: %v", names, err)
	}
	if got := values(n.read("kept", 0, false)); len(got) != 1 || len(n.read("gone-2", 1, false)) != 3 {
		t.Errorf("%q", got)
	}
}
