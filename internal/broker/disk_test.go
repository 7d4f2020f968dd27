package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// smallNode is a node on a disk of 4 MiB, of which one has to stay free.
func smallNode(t *testing.T) (*node, *vfs.SmallDisk) {
	t.Helper()
	disk := vfs.NewSmallDisk(vfs.NewCrashable(), 4<<20)
	o := options(disk)
	o.MinFree = 1 << 20
	return boot(t, o), disk
}

// fill produces until the disk is low and returns how many batches were taken.
func (n *node) fill(topic string) (taken int) {
	n.t.Helper()
	value := strings.Repeat("x", 50_000)
	for ; taken < 1000; taken++ {
		if r := n.produce(topic, 0, plain(value)); r.Err != nil {
			wantErr(n.t, r.Err, kerr.KafkaStorageError)
			if !strings.Contains(r.Detail, "data") || !strings.Contains(r.Detail, "bytes are free") {
				n.t.Errorf("detail %q", r.Detail)
			}
			return taken
		}
	}
	n.t.Fatal("the disk never becomes low")
	return 0
}

func TestALowDiskRefusesWritingAndKeepsTheRestGoing(t *testing.T) {
	n, disk := smallNode(t)
	for _, topic := range []string{"large", "small", "txn"} {
		n.topic(topic, 1, nil)
	}
	who := n.producer("t")
	if r := n.txnProduce("t", true, "txn", 0, txnSent(who, 0, "open")); r.Err != nil {
		t.Fatal(r.Err)
	}
	n.mustProduce("small", 0, plain("kept"))
	taken := n.fill("large")
	// The last batch is written twice, to the journal and to its segment, and a checkpoint may be on its way.
	if free := int64(4<<20) - disk.Used(); free < 1<<20-3*50_000 || taken < 20 {
		t.Errorf("%d batches were taken, %d bytes are free", taken, free)
	}
	if st := n.Stats().Disk; !st.Low || st.MinFree != 1<<20 || st.Dir != "data" {
		t.Errorf("%+v", st)
	}
	wantErr(t, get(t, n.OpenEpochs("app").Append(Epoch{Batches: []EpochBatch{{TopicPartition: tp("small", 0), Bytes: plain("x")}}})).Err, kerr.KafkaStorageError)
	wantErr(t, n.txnProduce("t", true, "txn", 0, txnSent(who, 1, "more")).Err, kerr.KafkaStorageError)

	if got := n.read("large", 0, false); len(got) != taken {
		t.Errorf("%d of %d batches are read", len(got), taken)
	}
	commit := get(t, n.CommitOffsets("g", group.Member{Generation: -1}, []group.OffsetCommit{{TopicPartition: tp("small", 0), Offset: 1}}))
	if commit.Err != nil || commit.Each[0] != nil {
		t.Errorf("offset commit: %+v", commit)
	}
	who = n.end("t", who, false, true)
	if r := get(t, n.DeleteRecords(tp("small", 0), 1)); r.Err != nil || r.Offset != 1 {
		t.Errorf("delete records: %+v", r)
	}
	if n.events.count("disk-low") != 1 || n.events.count("disk-has-room") != 0 {
		t.Errorf("%+v", n.events.seen)
	}

	if r := get(t, n.DeleteTopics([]TopicRef{{Name: "large"}}))[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	n.eventually("the disk has room", func() bool { // the keeper removes the files behind the answer
		n.clock.Advance(time.Second)
		get(t, n.ListGroups())
		return n.events.count("disk-has-room") > 0
	})
	n.mustProduce("small", 0, plain("after"))
	if r := n.txnProduce("t", true, "txn", 0, txnSent(who, 0, "after")); r.Err != nil {
		t.Error(r.Err)
	}
}

// Others take the whole disk between two looks: what was taken waits, readers don't, and it goes on when there is room.
func TestADiskFilledByOthersStallsAndHeals(t *testing.T) {
	n, disk := smallNode(t)
	n.topic("a", 1, nil)
	n.mustProduce("a", 0, plain("first"))
	disk.Resize(0)
	value := strings.Repeat("y", 50_000)
	f := n.Produce(Produce{Items: []ProduceItem{item("a", 0, plain(value))}})
	n.events.await(t, "disk-full")
	if got := values(n.read("a", 0, false)); len(got) != 1 || got[0] != "first" {
		t.Errorf("readers see %d values", len(got))
	}
	select {
	case <-f.Done():
		t.Fatal("acknowledged without room for it")
	default:
	}
	disk.Resize(8 << 20)
	n.eventually("it is acknowledged", func() bool {
		n.clock.Advance(time.Second)
		select {
		case <-f.Done():
			return true
		case <-time.After(time.Millisecond):
			return false
		}
	})
	if r := f.Value()[0]; r.Err != nil || r.BaseOffset != 1 {
		t.Errorf("%+v", r)
	}
	n.mustProduce("a", 0, plain("last"))
	if got := values(n.read("a", 0, false)); len(got) != 3 || got[1] != value || got[2] != "last" {
		t.Errorf("%d values", len(got))
	}
}

// While the disk is busy with a sync, readers see nothing of what it is to make durable, and nobody is answered. What is under way
// stays bounded: producers wait.
func TestNothingIsShownOrAcknowledgedBeforeItsSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, begun := make(chan struct{}), make(chan struct{}, 1000)
		var stuck atomic.Bool
		o := options(vfs.OnOp(vfs.NewCrashable(), func(op, _ string) {
			if op == "sync-data" && stuck.Load() {
				begun <- struct{}{}
				<-slow
			}
		}))
		o.Clock, o.MaxInFlight = bubbleClock{time.Now()}, 20_000
		b, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		b.CreateTopics([]TopicSpec{{Name: "a", Partitions: 1, Replication: 1}}, false).wait()
		stuck.Store(true)
		var sent, answered atomic.Int64
		const producers = 50
		for range producers {
			go func() {
				f := b.Produce(Produce{Items: []ProduceItem{item("a", 0, plain(strings.Repeat("x", 1000)))}})
				sent.Add(1)
				f.wait()
				answered.Add(1)
			}()
		}
		<-begun
		synctest.Wait()
		if end := b.ListOffset(TopicRef{Name: "a"}, 0, atEnd, false); end.Offset != 0 || answered.Load() != 0 {
			t.Errorf("before the sync the end is %d and %d are answered", end.Offset, answered.Load())
		}
		if n := sent.Load(); n == 0 || n > 20 {
			t.Errorf("%d of %d producers were let in with room for 20 kB", n, producers)
		}
		stuck.Store(false)
		close(slow)
		synctest.Wait()
		if end := b.ListOffset(TopicRef{Name: "a"}, 0, atEnd, false); end.Offset != producers || answered.Load() != producers {
			t.Errorf("behind the sync the end is %d and %d are answered", end.Offset, answered.Load())
		}
		cancel()
		if err := errors.Join(<-ended, b.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestAFullDiskIsNamedWhenANodeCannotStart(t *testing.T) {
	disk := vfs.NewSmallDisk(vfs.NewCrashable(), 10<<10)
	if _, err := Open(options(disk)); !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "free space") {
		t.Fatal(err)
	}
	disk.Resize(4 << 20)
	b, err := Open(options(disk))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheJournalIsSmallOnASmallDisk(t *testing.T) {
	for _, c := range []struct{ disk, want int64 }{{64 << 20, 4 << 20}, {1 << 20, 1 << 20}, {100 << 20, 6 << 20}, {64 << 30, 64 << 20}} {
		if got := journalFileSize(vfs.NewSmallDisk(vfs.NewCrashable(), c.disk), "/"); got != c.want {
			t.Errorf("disk of %d MiB: %d", c.disk>>20, got)
		}
	}
	if got := journalFileSize(vfs.NewCrashable(), "/"); got != 64<<20 {
		t.Errorf("unknown size: %d", got)
	}
}

// ---- every operation fails once

// bubbleClock is the time of a synctest bubble: what waits for a while takes no time.
type bubbleClock struct{ start time.Time }

func (c bubbleClock) Now() time.Time                       { return testTime.Add(c.Mono()) }
func (c bubbleClock) Mono() time.Duration                  { return time.Since(c.start) }
func (bubbleClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

var _ clock.Clock = bubbleClock{}

// A diskTrial runs a fixed workload on a disk that fails, and remembers what was acknowledged.
type diskTrial struct {
	mem     *vfs.MemFS
	fault   func(op, path string) error // nil result: carried out
	asked   []string
	acked   map[string]bool
	offsets record.Offset // committed and acknowledged, of part 0
	failed  error         // of Open, Run or Close
}

func (d *diskTrial) options() Options {
	o := options(vfs.FailOp(d.mem, d.fault))
	o.Clock = bubbleClock{time.Now()}
	o.JournalFileSize, o.SegmentBytes = 32<<10, 4<<10
	return o
}

// run opens, works and closes. Whatever fails ends it.
func (d *diskTrial) run() {
	b, err := Open(d.options())
	if err != nil {
		d.failed = err
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	d.work(b)
	cancel()
	d.failed = errors.Join(<-ended, b.Close())
}

func (d *diskTrial) work(b *Broker) {
	b.CreateTopics([]TopicSpec{{Name: "a", Partitions: 3, Replication: 1}, {Name: "gone", Partitions: 1, Replication: 1}}, false).wait()
	who := b.InitProducer(txn.Init{ID: "t", Timeout: time.Minute, Current: txn.None}).wait().Producer
	var waiting []func()
	for i := range 60 {
		v := fmt.Sprintf("%d %s", i, strings.Repeat("z", i%7*300))
		d.asked = append(d.asked, v)
		f := b.Produce(Produce{Items: []ProduceItem{item("a", int32(i%3), plain(v))}})
		waiting = append(waiting, func() {
			if r := f.wait(); r[0].Err == nil && f.err == nil {
				d.acked[v] = true
			}
		})
		if i%5 != 4 {
			continue
		}
		for _, w := range waiting {
			w()
		}
		waiting = nil
		switch i {
		case 14, 44:
			os := []group.OffsetCommit{{TopicPartition: tp("a", 0), Offset: record.Offset(i)}}
			if r := b.CommitOffsets("g", group.Member{Generation: -1}, os).wait(); r.Err == nil && len(r.Each) == 1 && r.Each[0] == nil {
				d.offsets = record.Offset(i)
			}
		case 19:
			b.Produce(Produce{Items: []ProduceItem{item("gone", 0, plain("x"))}}).wait()
			b.DeleteTopics([]TopicRef{{Name: "gone"}}).wait()
		case 29:
			b.Produce(Produce{TransactionalID: "t", Implicit: true, Items: []ProduceItem{item("a", 1, txnSent(who, 0, "aborted"))}}).wait()
		case 39:
			b.EndTxn("t", who, false, true).wait()
		}
	}
}

// wait is for results that come in any case.
func (f *Future[T]) wait() T {
	<-f.Done()
	return f.Value()
}

// judge opens what a power failure leaves and compares.
func (d *diskTrial) judge(t *testing.T, where string) {
	t.Helper()
	o := options(d.mem.CrashClone(crashConfig{}))
	o.Clock = clock.NewManual(testTime)
	o.JournalFileSize, o.SegmentBytes = 32<<10, 4<<10
	b, err := Open(o)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	defer b.Close()
	n := &node{Broker: b, t: t}
	seen := map[string]int{}
	if b.view.Load().byName["a"] != nil {
		for p := range int32(3) {
			for _, v := range values(n.read("a", p, false)) { // an open transaction hides what is behind it
				seen[v]++
			}
		}
	}
	for _, v := range d.asked {
		if seen[v] > 1 || d.acked[v] && seen[v] == 0 {
			t.Errorf("%s: %.3s… is there %d times, acknowledged: %t", where, v, seen[v], d.acked[v])
		}
		delete(seen, v)
	}
	delete(seen, "aborted")
	if len(seen) > 0 {
		t.Errorf("%s: %v was never asked for", where, seen)
	}
	if at := b.seq.st.groups.Offset("g", tp("a", 0)); d.offsets > 0 && at.Offset < d.offsets {
		t.Errorf("%s: the group is at %d, %d was acknowledged", where, at.Offset, d.offsets)
	}
}

// eachFault runs trials whose n-th operation of the wanted kinds, and `more` after it, fail, until there is no n-th.
func eachFault(t *testing.T, fails func(op string) bool, cause error, more int, check func(t *testing.T, d *diskTrial, where string)) (trials int) {
	t.Helper()
	for n := 1; !t.Failed(); n++ {
		hit := ""
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex // the sequencer, the committer and the keeper reach the disk at once
			count := 0
			d := &diskTrial{mem: vfs.NewCrashable(), acked: map[string]bool{}}
			d.fault = func(op, path string) error {
				if !fails(op) {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				if count++; count < n || count > n+more {
					return nil
				}
				if hit == "" {
					hit = fmt.Sprintf("operation %d, %s %s", n, op, path)
				}
				return fmt.Errorf("%s %s: %w", op, path, cause)
			}
			d.run()
			if hit != "" {
				check(t, d, hit)
				d.judge(t, hit)
			}
		})
		if hit == "" {
			return n - 1
		}
	}
	return 0
}

// The page that failed to sync may be marked clean, and the error comes once: the node ends with it, whichever sync it was, and
// acknowledges nothing more.
func TestAnErrorOfAnySyncEndsTheNode(t *testing.T) {
	syncs := func(op string) bool { return strings.HasPrefix(op, "sync") }
	n := eachFault(t, syncs, syscall.EIO, 0, func(t *testing.T, d *diskTrial, where string) {
		if !errors.Is(d.failed, syscall.EIO) {
			t.Errorf("%s: the node ends with %v", where, d.failed)
		}
	})
	t.Logf("%d syncs failed", n)
	if n < 30 {
		t.Errorf("only %d syncs", n)
	}
}

// A disk that is full for a moment at any operation: the node goes on and loses nothing, or it ends with that error.
func TestNoSpaceAtAnyOperationLosesNothing(t *testing.T) {
	survived := 0
	takesSpace := func(op string) bool { return vfs.IsWriteOp(op) && op != "sync-to" }
	n := eachFault(t, takesSpace, syscall.ENOSPC, 3, func(t *testing.T, d *diskTrial, where string) {
		switch {
		case d.failed == nil && len(d.acked) != len(d.asked):
			t.Errorf("%s: the node goes on, but only %d of %d were acknowledged", where, len(d.acked), len(d.asked))
		case d.failed == nil:
			survived++
		case !errors.Is(d.failed, syscall.ENOSPC):
			t.Errorf("%s: the node ends with %v", where, d.failed)
		}
	})
	t.Logf("%d operations found no space, the node went on after %d", n, survived)
	if survived < n/5 { // with a single CPU it is a third
		t.Errorf("the node went on after %d of %d errors only", survived, n)
	}
}

// Space that a disk finds missing only when it writes what it took before cannot be waited for: what was taken may be lost.
func TestSpaceThatIsMissedLateEndsTheNode(t *testing.T) {
	n := boot(t, options(vfs.FailOp(vfs.NewCrashable(), func(op, _ string) error {
		if op == "sync-to" {
			return syscall.ENOSPC
		}
		return nil
	})))
	n.topic("a", 1, nil)
	n.Produce(Produce{Items: []ProduceItem{item("a", 0, plain(strings.Repeat("x", 100_000)))}})
	if err := <-n.ended; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Run returns %v", err)
	}
	n.ended <- nil
}

// TestNothingIsReadOfABatchOnceItIsAnswered: its bytes are its producer's again, also after an error, and the journal does not copy large ones.
func TestNothingIsReadOfABatchOnceItIsAnswered(t *testing.T) {
	var broken atomic.Bool
	failure, answered, writing := errors.New("the disk is gone"), make(chan struct{}), make(chan struct{}, 1)
	n := boot(t, options(vfs.FailOp(vfs.NewCrashable(), func(op, path string) error {
		switch {
		case !broken.Load() || op != "write-at" && op != "write":
		case strings.HasSuffix(path, ".log"):
			<-writing // the journal is about to write the batch
			return failure
		case strings.Contains(path, "journal"):
			select {
			case writing <- struct{}{}:
			default:
			}
			select {
			case <-answered:
				t.Error("the journal writes what was answered already")
			case <-time.After(200 * time.Millisecond): // it is waited for
			}
		}
		return nil
	})))
	n.topic("a", 1, nil)
	broken.Store(true)
	first := n.Produce(Produce{Items: []ProduceItem{item("a", 0, plain(strings.Repeat("x", 100_000)))}})
	wantErr(t, get(t, first)[0].Err, kerr.KafkaStorageError)
	close(answered)
	if err := <-n.ended; !errors.Is(err, failure) {
		t.Errorf("Run returns %v", err)
	}
	n.ended <- nil
}
