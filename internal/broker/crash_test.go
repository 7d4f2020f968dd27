package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/cleanup"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// The crash test runs a seeded workload and takes a crash clone of the file system before every writing file operation, with
// unsynced data lost wholly, partly or not at all. Each clone is opened and compared with the ledger: what had been acknowledged
// when the clone was taken, and what had been asked for.

// crashRuns is the number of workloads, 1 in a plain go test, which then looks at every eighth state only. MAINSTEM_CRASH_RUNS asks
// for that many workloads with all their states, about 3,000 each.
func crashRuns() (runs, stride int) {
	n, err := strconv.Atoi(os.Getenv("MAINSTEM_CRASH_RUNS"))
	if err != nil || n < 1 {
		return 1, 8
	}
	return n, 1
}

func TestCrashAtEveryFileOperation(t *testing.T) {
	states := 0
	runs, stride := crashRuns()
	for seed := range uint64(runs) {
		w := newWorkload(t, seed+1)
		w.stride = stride
		w.run()
		states += w.states
		if t.Failed() {
			t.Fatalf("seed %d failed", seed+1)
		}
	}
	t.Logf("%d crash states", states)
	if states < 200*runs {
		t.Errorf("only %d states were visited", states)
	}
}

// A fact is one thing that the workload asked for, in the order of asking.
type fact struct {
	kind   string // batch, epoch, offset, trim, topic, delete, end, keyed, aged
	tp     record.TopicPartition
	values []string
	who    txn.Producer // of an idempotent or transactional batch
	seq    int32
	txn    int // number of the transaction, 0 for none
	number int64
	parts  []epochPart
	commit bool

	acked bool
	base  record.Offset
}

// An epochPart is one batch of an epoch in words.
type epochPart struct {
	tp     record.TopicPartition
	values []string
}

type workload struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	node *node
	mem  *vfs.MemFS

	mu     sync.Mutex
	facts  []fact
	ops    int
	stride int
	states int

	next     int // number of the next value
	waiting  []func()
	writer   *EpochWriter
	plainSeq map[record.TopicPartition]int32
	idem     txn.Producer
	txnWho   txn.Producer
	txnSeq   map[record.TopicPartition]int32
	txnNo    int
	txnOpen  bool
	epochNo  int64
	offsetNo int64
	extra    int
	trimmed  record.Offset
}

func newWorkload(t *testing.T, seed uint64) *workload {
	return &workload{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), mem: vfs.NewCrashable(),
		plainSeq: map[record.TopicPartition]int32{}, txnSeq: map[record.TopicPartition]int32{},
	}
}

func crashOptions(fs vfs.FS) Options {
	o := options(fs)
	o.JournalFileSize, o.SegmentBytes = 32<<10, 4<<10
	o.Cleanup = cleanup.CleanerOptions{CheckInterval: 1000 * time.Hour, Backoff: 1000 * time.Hour, MapBytes: 1} // when the workload says so
	return o
}

func (w *workload) run() {
	w.node = boot(w.t, crashOptions(vfs.OnOp(w.mem, w.operation)))
	w.node.topic("in", 1, nil)
	w.node.topic("a", 2, nil)
	w.node.topic("out", 2, nil)
	w.node.topic("trim", 1, nil)
	w.node.topic("aged", 1, map[string]string{"retention.bytes": "5000", "retention.ms": "-1"})
	w.node.topic("kept", 1, map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2", "delete.retention.ms": "0"})
	for _, name := range []string{"in", "a", "out", "trim", "aged", "kept"} {
		w.mu.Lock()
		w.facts = append(w.facts, fact{kind: "topic", tp: tp(name, 0), acked: true})
		w.mu.Unlock()
	}
	w.idem = w.node.producer("")
	w.writer = w.node.OpenEpochs("app")
	for range 120 {
		w.step()
		if w.rng.IntN(4) == 0 {
			w.settle()
		}
		if w.t.Failed() {
			break
		}
	}
	w.settle()
	if n := w.node.events.count("compacted"); w.seed == 1 && (n == 0 || w.node.start(tp("aged", 0)) == 0) {
		w.t.Errorf("seed %d: %d compactions, retention got to %d: the workload wants both", w.seed, n, w.node.start(tp("aged", 0)))
	}
	if err := w.node.halt(); err != nil {
		w.t.Error(err)
	}
}

// operation is called before every file operation of the workload.
func (w *workload) operation(op, path string) {
	if !vfs.IsWriteOp(op) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.facts) == 0 || w.t.Failed() {
		return
	}
	if w.ops++; w.ops%w.stride != 0 {
		return
	}
	w.states++
	w.crash(fmt.Sprintf("seed %d operation %d before %s %s", w.seed, w.ops, op, path), w.states%13 == 0)
}

// crash opens a clone of now. Called with mu held: facts stand still; what is acknowledged meanwhile is noted later.
func (w *workload) crash(name string, again bool) {
	percent := []int{0, 0, 50, 100}[w.states%4]
	facts := append([]fact(nil), w.facts...)
	clone := w.mem.CrashClone(crashConfig{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(w.seed, uint64(w.states)))})
	if again {
		w.crashTwice(name, clone, facts)
	}
	check(w.t, name, clone, facts)
}

// crashTwice crashes the recovery too, at every third of its operations.
func (w *workload) crashTwice(name string, clone *vfs.MemFS, facts []fact) {
	first := clone.CrashClone(crashConfig{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	var mu sync.Mutex // logs are synced beside each other
	n := 0
	o := crashOptions(vfs.OnOp(first, func(op, path string) {
		mu.Lock()
		defer mu.Unlock()
		if n++; vfs.IsWriteOp(op) && n%3 == 0 && !w.t.Failed() {
			w.states++
			second := first.CrashClone(crashConfig{UnsyncedDataPercent: 50 * (n / 3 % 3), RNG: rand.New(rand.NewPCG(w.seed, uint64(n)))})
			check(w.t, fmt.Sprintf("%s, recovery before %s %s", name, op, path), second, facts)
		}
	}))
	b, err := Open(o)
	if err == nil {
		err = b.Close()
	}
	if err != nil {
		w.t.Errorf("%s: %v", name, err)
	}
}

// ask notes f before it is asked for, and how to note its answer.
func (w *workload) ask(f fact) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.facts = append(w.facts, f)
	return len(w.facts) - 1
}

func (w *workload) ack(at int, base record.Offset) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.facts[at].acked, w.facts[at].base = true, base
}

// settle waits for everything asked so far.
func (w *workload) settle() {
	for _, wait := range w.waiting {
		wait()
	}
	w.waiting = nil
}

func (w *workload) values() []string {
	out := make([]string, 1+w.rng.IntN(3))
	for i := range out {
		w.next++
		out[i] = fmt.Sprintf("v%d-%0*d", w.next, 1+w.rng.IntN(300), 0)
	}
	return out
}

func (w *workload) step() {
	switch k := w.rng.IntN(20); {
	case k < 4:
		w.stepPlain()
	case k < 9:
		w.stepIdempotent()
	case k < 13:
		w.stepEpoch()
	case k < 17:
		w.stepTxn()
	case k < 18:
		w.stepOffset()
		w.stepTrim()
		w.stepAged()
	default:
		w.stepTopic()
	}
}

func (w *workload) produced(at int, f *Future[[]ProduceResult]) {
	w.waiting = append(w.waiting, func() {
		r := get(w.t, f)[0]
		if r.Err != nil {
			w.t.Errorf("fact %d: %v %s", at, r.Err, r.Detail)
			return
		}
		w.ack(at, r.BaseOffset)
	})
}

func (w *workload) stepPlain() {
	f := fact{kind: "batch", tp: tp("a", w.rng.Int32N(2)), values: w.values(), who: txn.None}
	at := w.ask(f)
	w.produced(at, w.node.Produce(Produce{Items: []ProduceItem{item(f.tp.Topic, f.tp.Partition, plain(f.values...))}}))
}

func (w *workload) stepIdempotent() {
	f := fact{kind: "batch", tp: tp("a", w.rng.Int32N(2)), values: w.values(), who: w.idem}
	f.seq = w.plainSeq[f.tp]
	w.plainSeq[f.tp] += int32(len(f.values))
	at := w.ask(f)
	w.produced(at, w.node.Produce(Produce{Items: []ProduceItem{item(f.tp.Topic, f.tp.Partition, sent(f.who, f.seq, f.values...))}}))
}

func (w *workload) stepEpoch() {
	w.epochNo++
	f := fact{kind: "epoch", number: w.epochNo}
	e := epoch(record.Offset(w.epochNo))
	for range 1 + w.rng.IntN(3) {
		b := epochPart{tp("out", w.rng.Int32N(2)), w.values()}
		f.parts = append(f.parts, b)
		e.Batches = append(e.Batches, EpochBatch{TopicPartition: b.tp, Bytes: plain(b.values...)})
	}
	at := w.ask(f)
	r := w.writer.Append(e)
	w.waiting = append(w.waiting, func() {
		if v := get(w.t, r); v.Err != nil {
			w.t.Errorf("epoch: %v %s", v.Err, v.Detail)
			return
		}
		w.ack(at, 0)
	})
}

func (w *workload) stepOffset() {
	w.offsetNo++
	at := w.ask(fact{kind: "offset", number: w.offsetNo})
	r := w.node.CommitOffsets("g", group.Member{Generation: -1}, []group.OffsetCommit{{TopicPartition: tp("in", 0), Offset: record.Offset(w.offsetNo)}})
	w.waiting = append(w.waiting, func() {
		if v := get(w.t, r); v.Err != nil || v.Each[0] != nil {
			w.t.Errorf("commit: %+v", v)
			return
		}
		w.ack(at, 0)
	})
}

// stepTrim writes to the topic whose records are deleted, and deletes some.
func (w *workload) stepTrim() {
	f := fact{kind: "batch", tp: tp("trim", 0), values: w.values(), who: txn.None}
	at := w.ask(f)
	w.produced(at, w.node.Produce(Produce{Items: []ProduceItem{item("trim", 0, plain(f.values...))}}))
	w.settle()
	end := w.node.ListOffset(TopicRef{Name: "trim"}, 0, atEnd, false).Offset
	w.trimmed += record.Offset(w.rng.Int64N(int64(end-w.trimmed) + 1))
	at = w.ask(fact{kind: "trim", tp: f.tp, number: int64(w.trimmed)})
	if r := get(w.t, w.node.DeleteRecords(f.tp, w.trimmed)); r.Err != nil || r.Offset != w.trimmed {
		w.t.Errorf("trim to %d: %+v", w.trimmed, r)
		return
	}
	w.ack(at, 0)
}

// stepAged writes to the topic that retention bounds, and to the one that is compacted; now and then both are cleaned.
func (w *workload) stepAged() {
	for range 3 {
		f := fact{kind: "batch", tp: tp("aged", 0), values: w.values(), who: txn.None}
		at := w.ask(f)
		w.produced(at, w.node.Produce(Produce{Items: []ProduceItem{item("aged", 0, plain(f.values...))}}))
		keys := fact{kind: "keyed", tp: tp("kept", 0), who: txn.None}
		for _, v := range w.values() {
			keys.values = append(keys.values, fmt.Sprintf("k%d=%s-%0*d", w.rng.IntN(6), v, 300, 0))
		}
		at = w.ask(keys)
		w.produced(at, w.node.Produce(Produce{Items: []ProduceItem{item("kept", 0, keyed(noProducer, testTime, keys.values...))}}))
	}
	w.settle()
	w.node.cleaner.Retain()
	w.node.cleaner.Compact()
	at := w.ask(fact{kind: "aged", tp: tp("aged", 0), number: int64(w.node.start(tp("aged", 0)))})
	w.ack(at, 0)
}

// stepTxn writes in the open transaction, or ends it; offsets ride along.
func (w *workload) stepTxn() {
	if !w.txnOpen {
		w.settle()
		w.txnNo++
		w.txnOpen = true
		if w.txnNo == 1 || w.rng.IntN(5) == 0 {
			w.txnWho = w.node.producer("tx")
			w.txnSeq = map[record.TopicPartition]int32{}
		}
	}
	if w.rng.IntN(3) == 0 {
		w.endTxn()
		return
	}
	f := fact{kind: "batch", tp: tp("a", w.rng.Int32N(2)), values: w.values(), who: w.txnWho, txn: w.txnNo}
	f.seq = w.txnSeq[f.tp]
	w.txnSeq[f.tp] += int32(len(f.values))
	at := w.ask(f)
	w.produced(at, w.node.Produce(Produce{TransactionalID: "tx", Implicit: true, Items: []ProduceItem{item(f.tp.Topic, f.tp.Partition, txnSent(f.who, f.seq, f.values...))}}))
}

func (w *workload) endTxn() {
	os := []group.OffsetCommit{{TopicPartition: tp("in", 0), Offset: record.Offset(w.txnNo)}}
	offsets := w.node.CommitTxnOffsets("tx", w.txnWho, "tg", group.Member{Generation: -1}, os, true)
	w.settle()
	if e := get(w.t, offsets)[0]; e != nil {
		w.t.Errorf("offsets of transaction %d: %v", w.txnNo, e)
	}
	f := fact{kind: "end", txn: w.txnNo, commit: w.rng.IntN(3) > 0}
	at := w.ask(f)
	w.txnOpen = false
	r := get(w.t, w.node.EndTxn("tx", w.txnWho, f.commit, true))
	if r.Err != nil {
		w.t.Errorf("end of transaction %d: %v", w.txnNo, r.Err)
		return
	}
	w.ack(at, 0)
	w.txnWho, w.txnSeq = r.Producer, map[record.TopicPartition]int32{}
}

// stepTopic creates a topic with a record, or deletes the last one made.
func (w *workload) stepTopic() {
	w.settle()
	name := fmt.Sprintf("extra-%d", w.extra)
	if w.extra > 0 && w.rng.IntN(2) == 0 {
		at := w.ask(fact{kind: "delete", tp: tp(name, 0)})
		get(w.t, w.node.DeleteTopics([]TopicRef{{Name: name}}))
		w.ack(at, 0)
		w.extra = -w.extra
		return
	}
	w.extra = max(w.extra, -w.extra) + 1
	name = fmt.Sprintf("extra-%d", w.extra)
	at := w.ask(fact{kind: "topic", tp: tp(name, 0)})
	w.node.topic(name, 1, nil)
	w.ack(at, 0)
	f := fact{kind: "batch", tp: tp(name, 0), values: w.values(), who: txn.None}
	at = w.ask(f)
	w.produced(at, w.node.Produce(Produce{Items: []ProduceItem{item(name, 0, plain(f.values...))}}))
}

// runBriefly opens a clone for check; stop ends it in order.
func runBriefly(t *testing.T, fs vfs.FS) (n *node, stop func(), err error) {
	o := crashOptions(fs)
	o.Clock = clock.NewManual(testTime.Add(time.Hour))
	b, err := Open(o)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	return &node{Broker: b, t: t, o: o}, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}, nil
}
