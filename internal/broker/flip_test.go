package broker

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// flips is how many bits are flipped, one at a time; MAINSTEM_FLIPS asks for another number.
func flips() int {
	n, err := strconv.Atoi(os.Getenv("MAINSTEM_FLIPS"))
	if err != nil || n < 1 {
		return 300
	}
	return n
}

// A flipWorld is a data directory with something of every kind, and what can be read from it.
type flipWorld struct {
	t     *testing.T
	fs    *vfs.MemFS
	rows  map[record.TopicPartition][]row
	group map[record.TopicPartition]record.Offset
	files []flipFile
	tail  record.Offset // batches of the last journal block, all of flipTail
}

// flipTail gets what the last block of the journal holds: a flip there looks like a write that a crash has torn.
var flipTail = tp("tail", 0)

// A flipFile is a file with the bytes that are worth flipping.
type flipFile struct {
	path string
	size int64
}

// newFlipWorld works for a while and ends: in order, or as by a crash.
func newFlipWorld(t *testing.T, clean bool) *flipWorld {
	t.Helper()
	w := &flipWorld{t: t, fs: vfs.NewCrashable(), rows: map[record.TopicPartition][]row{}, group: map[record.TopicPartition]record.Offset{}}
	o := options(w.fs)
	o.JournalFileSize, o.SegmentBytes = 64<<10, 4<<10
	n := boot(t, o)
	n.topic("a", 2, map[string]string{"segment.bytes": "1048576"})
	n.topic("b", 1, nil)
	n.topic("tail", 1, nil)
	n.work(0, 60)
	who := n.producer("t")
	n.txnProduce("t", true, "b", 0, txnSent(who, 0, "aborted"))
	who = n.end("t", who, false, true)
	n.txnProduce("t", true, "b", 0, txnSent(who, 0, "committed"))
	n.end("t", who, true, true)
	for _, p := range []record.TopicPartition{tp("a", 0), tp("b", 0)} {
		w.group[p] = 7
		get(t, n.CommitOffsets("g", group.Member{Generation: -1}, []group.OffsetCommit{{TopicPartition: p, Offset: 7, Metadata: "m"}}))
	}
	if r := get(t, n.DeleteRecords(tp("a", 1), 9)); r.Err != nil {
		t.Fatal(r.Err)
	}
	n = n.restart() // a checkpoint, a start file, sealed segments
	n.work(60, 90)
	w.tail = n.mustProduce("tail", 0, plain("in the last block"))
	for _, topic := range []string{"a", "b", "tail"} {
		for _, p := range n.view.Load().byName[topic].parts {
			w.rows[p.TopicPartition] = n.read(topic, p.Partition, true)
		}
	}
	if clean {
		if err := n.halt(); err != nil {
			t.Fatal(err)
		}
	} else {
		w.fs = w.fs.CrashClone(crashConfig{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	}
	w.list("data")
	return w
}

// work fills the partitions of a and b.
func (n *node) work(from, to int) {
	for i := from; i < to; i++ {
		v := fmt.Sprintf("%d %s", i, strings.Repeat("v", 100+i%5*60))
		n.mustProduce("a", int32(i%2), plain(v))
		if i%3 == 0 {
			n.mustProduce("b", 0, plain(v))
		}
	}
}

func (w *flipWorld) list(dir string) {
	names, err := w.fs.List(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names {
		path := w.fs.PathJoin(dir, name)
		info, err := w.fs.Stat(path)
		if err != nil {
			w.t.Fatal(err)
		}
		if info.IsDir() {
			w.list(path)
			continue
		}
		b, err := readFile(w.fs, path)
		if err != nil {
			w.t.Fatal(err)
		}
		if used := len(bytes.TrimRight(b, "\x00")); used > 0 {
			w.files = append(w.files, flipFile{path, int64(min(len(b), used+64))})
		}
	}
}

// A flip is one bit of one file.
type flip struct {
	file string
	at   int64
	bit  int
}

func (f flip) String() string { return fmt.Sprintf("bit %d of byte %d of %s", f.bit, f.at, f.file) }

// apply returns the directory with the flip in it.
func (w *flipWorld) apply(f flip) *vfs.MemFS {
	fs := w.fs.CrashClone(crashConfig{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	file, err := fs.OpenReadWrite(f.file, vfs.Category)
	if err != nil {
		w.t.Fatal(err)
	}
	var b [1]byte
	if _, err := file.ReadAt(b[:], f.at); err != nil {
		w.t.Fatal(err)
	}
	b[0] ^= 1 << f.bit
	if _, err := file.WriteAt(b[:], f.at); err != nil {
		w.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		w.t.Fatal(err)
	}
	return fs
}

// judge opens the damaged directory and reads all of it: what is served is what was written, and what is not served is an error that
// names the place.
func (w *flipWorld) judge(f flip) (outcome string, err error) {
	events := &eventLog{}
	o := options(w.apply(f))
	o.JournalFileSize, o.SegmentBytes, o.Events = 64<<10, 4<<10, events.add
	b, err := Open(o)
	if err != nil {
		if !strings.Contains(err.Error(), f.file) && !strings.Contains(err.Error(), o.FS.PathDir(f.file)) {
			return "", fmt.Errorf("the error does not name the file: %w", err)
		}
		return "refused", nil
	}
	defer b.Close()
	n := &node{Broker: b, t: w.t}
	outcome = "harmless"
	for p, want := range w.rows {
		switch got, err := n.readAll(p, true); {
		case err == nil && slices.Equal(got, want):
		case !isPrefix(got, want):
			return "", fmt.Errorf("%v serves what was never written: %v", p, diffRow(got, want))
		case err == nil && p == flipTail && len(got) == int(w.tail) && events.torn(f.file):
			outcome = "taken for a torn write"
		case err == nil:
			return "", fmt.Errorf("%v serves %d of %d records and no error", p, len(got), len(want))
		case !strings.Contains(err.Error(), kerr.KafkaStorageError.Message) || !events.names(p, f.file):
			return "", fmt.Errorf("%v: the error tells no place: %w; %+v", p, err, events.seen)
		case outcome != "harmless":
			return "", fmt.Errorf("%v: a second partition is damaged: %w", p, err)
		default:
			outcome = "partition refuses"
		}
	}
	for p, want := range w.group {
		if got := b.seq.st.groups.Offset("g", p); got.Offset != want || got.Metadata != "m" {
			return "", fmt.Errorf("the group is at %+v in %v", got, p)
		}
	}
	return outcome, nil
}

func isPrefix(got, want []row) bool {
	return len(got) <= len(want) && slices.Equal(got, want[:len(got)])
}

func diffRow(got, want []row) string {
	for i := range got {
		if i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("%.60v at place %d of %d", got[i], i, len(want))
		}
	}
	return ""
}

// names tells whether an event names the partition and its damaged file.
func (l *eventLog) names(p record.TopicPartition, path string) bool {
	dir := path[:strings.LastIndex(path, "/")]
	for _, e := range l.seen {
		if text := fmt.Sprint(e.Fields...); strings.Contains(text, p.Topic) && strings.Contains(text, dir) {
			return true
		}
	}
	return false
}

// torn tells whether the start reported a tail that it cut off.
func (l *eventLog) torn(path string) bool {
	for _, e := range l.seen {
		if text := fmt.Sprint(e.Fields...); e.Kind == "recovered" && strings.Contains(text, path) {
			return true
		}
	}
	return false
}

func TestNoFlippedBitIsServedOrDropsAnything(t *testing.T) {
	for name, clean := range map[string]bool{"after a clean end": true, "after a crash": false} {
		t.Run(name, func(t *testing.T) {
			w := newFlipWorld(t, clean)
			rng := rand.New(rand.NewPCG(1, 2))
			outcomes := map[string]int{}
			for i := range flips() / 2 {
				file := w.files[i%len(w.files)]
				f := flip{file.path, rng.Int64N(file.size), rng.IntN(8)}
				outcome, err := w.judge(f)
				if err != nil {
					t.Fatalf("%v: %v", f, err)
				}
				outcomes[outcome]++
			}
			t.Logf("%d files: %v", len(w.files), outcomes)
			if outcomes["refused"] == 0 || outcomes["partition refuses"] == 0 || outcomes["harmless"] == 0 {
				t.Error("an outcome is missing: does the directory hold everything?")
			}
			if outcomes["taken for a torn write"] > 0 && clean {
				t.Error("a clean end has no torn tail")
			}
		})
	}
}
