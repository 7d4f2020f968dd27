package broker

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/admit"
	"github.com/mainstemio/mainstem/internal/cleanup"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// cleaningNode is a broker with small segments that cleans when the test says so, and by itself once, 30 s after its start.
func cleaningNode(t *testing.T) *node { return cleaningNodeOn(t, vfs.NewCrashable()) }

func cleaningNodeOn(t *testing.T, fs vfs.FS) *node {
	o := options(fs)
	o.SegmentBytes = 4 << 10
	o.Cleanup = cleanup.CleanerOptions{CheckInterval: 1000 * time.Hour, Backoff: 1000 * time.Hour}
	return boot(t, o)
}

// eventually waits for what another goroutine of the broker does soon.
func (n *node) eventually(what string, ok func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			n.t.Fatalf("still not: %s", what)
		}
	}
}

// kept waits until no checkpoint is being written.
func (n *node) kept() {
	n.t.Helper()
	n.eventually("no checkpoint is being written", func() bool {
		n.seq.mu.Lock()
		defer n.seq.mu.Unlock()
		return !n.seq.keeping && !n.seq.wanted
	})
}

// checkpoint waits until one is written that covers everything up to now.
func (n *node) checkpoint() {
	n.t.Helper()
	n.kept()
	before := n.events.count("checkpoint")
	if err := (cleaning{n.Broker}).Checkpoint(); err != nil {
		n.t.Fatal(err)
	}
	n.eventually("a checkpoint is written", func() bool { return n.events.count("checkpoint") > before })
}

func (n *node) start(tp record.TopicPartition) record.Offset {
	n.t.Helper()
	r := n.ListOffset(TopicRef{Name: tp.Topic}, tp.Partition, atStart, false)
	if r.Err != nil {
		n.t.Fatal(r.Err)
	}
	return r.Offset
}

// keyed builds a batch of "key=value" pairs, "key=-" is a tombstone.
func keyed(p batch.Params, at time.Time, pairs ...string) []byte {
	var b batch.Builder
	b.Reset(p)
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if value == "-" {
			b.Append(record.Timestamp(at.UnixMilli()), []byte(key), nil, nil)
		} else {
			b.Append(record.Timestamp(at.UnixMilli()), []byte(key), []byte(pair), nil)
		}
	}
	return b.AppendTo(nil)
}

var noProducer = batch.Params{ProducerID: -1}

// table is the last value of each key as a reader finds it.
func (n *node) table(topic string, committed bool) map[string]string {
	out := map[string]string{}
	for _, r := range n.read(topic, 0, committed) {
		if key, _, ok := strings.Cut(r.value, "="); ok {
			out[key] = r.value
		}
	}
	return out
}

func TestRetentionByTimeRemovesExpiredSegments(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"retention.ms": "60000"})
	at := tp("t", 0)
	for i := range 30 {
		n.mustProduce("t", 0, keyed(noProducer, testTime.Add(time.Duration(i)*time.Second), fmt.Sprintf("k=%d-%0500d", i, 0)))
	}
	size := n.LogSize(at) // before the clock moves, with which the cleaner looks by itself
	n.clock.Advance(60 * time.Second)
	n.cleaner.Retain()
	if got := n.start(at); got != 0 {
		t.Fatalf("the log starts at %d after exactly the retention time", got)
	}
	n.clock.Advance(15 * time.Second)
	n.cleaner.Retain()
	start := n.start(at)
	if start == 0 || start > 15 || len(n.read("t", 0, false)) != 30-int(start) {
		t.Fatalf("15 of 30 records have expired, the log starts at %d", start)
	}
	n.eventually("files are removed", func() bool { return n.LogSize(at) < size })
	for way, n := range n.everyWay() {
		if got := n.start(at); got != start {
			t.Errorf("%s the log starts at %d, not at %d", way, got, start)
		}
	}
}

func TestAnActiveSegmentWithoutALivingRecordIsRemovedToo(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"retention.ms": "60000"})
	at := tp("t", 0)
	n.mustProduce("t", 0, keyed(noProducer, testTime, "k=old"))
	n.clock.Advance(2 * time.Minute)
	n.cleaner.Retain()
	n.eventually("files are removed", func() bool { return n.LogSize(at) == 0 })
	for way, n := range n.everyWay() {
		if got := n.start(at); got != 1 {
			t.Errorf("%s the log starts at %d", way, got)
		}
		if o := n.mustProduce("t", 0, keyed(noProducer, n.clock.Now(), "k=new")); way == "running" && o != 1 {
			t.Errorf("%s the next record stands at %d", way, o)
		}
	}
}

func TestRecordsThatCameSinceTheLookStay(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, nil)
	n.mustProduce("t", 0, keyed(noProducer, testTime, "k=old"))
	p, _ := n.partition(TopicRef{Name: "t"}, 0)
	seen := []cleanup.Trimming{{Number: p.number, Keep: 1, Roll: 0}}
	n.mustProduce("t", 0, keyed(noProducer, testTime, "k=new"))
	if err := (cleaning{n.Broker}).Trim(seen); err != nil {
		t.Fatal(err)
	}
	for way, n := range n.everyWay() {
		if got := values(n.read("t", 0, false)); !slices.Equal(got, []string{"k=new"}) {
			t.Errorf("%s: %v", way, got)
		}
	}
}

func TestRetentionBySizeKeepsAtLeastTheBytes(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"retention.bytes": "9000", "retention.ms": "-1"})
	at := tp("t", 0)
	for i := range 60 {
		n.mustProduce("t", 0, keyed(noProducer, testTime, fmt.Sprintf("k=%d-%0500d", i, 0)))
	}
	n.cleaner.Retain()
	n.eventually("files are removed", func() bool { return n.LogSize(at) < 9000+4<<10 })
	if got := n.LogSize(at); got < 9000 {
		t.Errorf("%d bytes are left of 9000 to keep", got)
	}
}

func TestRetentionLeavesACompactedTopicAlone(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"retention.bytes": "1", "retention.ms": "1", "cleanup.policy": "compact"})
	for i := range 60 {
		n.mustProduce("t", 0, keyed(noProducer, testTime, fmt.Sprintf("k%d=%0500d", i, 0)))
	}
	n.clock.Advance(time.Hour)
	n.cleaner.Retain()
	if got := n.start(tp("t", 0)); got != 0 {
		t.Errorf("the log starts at %d", got)
	}
}

// update writes random values of few keys, as an idempotent producer, and returns what the table must be.
func (n *node) update(topic string, who txn.Producer, count int) (want map[string]string, last []byte, seq int32) {
	want = map[string]string{}
	for i := range count {
		var pairs []string
		for j := range 4 {
			key, value := fmt.Sprintf("k%d", (i*7+j*3)%23), fmt.Sprintf("%d.%d-%0100d", i, j, 0)
			pair := key + "=" + value
			if (i+j)%11 == 0 {
				pair = key + "=-"
				delete(want, key)
			} else {
				want[key] = pair
			}
			pairs = append(pairs, pair)
		}
		p := batch.Params{ProducerID: who.ID, ProducerEpoch: who.Epoch, BaseSequence: seq, Codec: batch.Codec(i % 5)}
		last = keyed(p, n.clock.Now(), pairs...)
		seq += int32(len(pairs))
		n.mustProduce(topic, 0, slices.Clone(last))
	}
	return want, last, seq
}

// tableOf folds all records, tombstones included: read shows those as empty values, which name no key.
func (n *node) tableOf(topic string) map[string]string {
	n.t.Helper()
	out, at := map[string]string{}, n.start(tp(topic, 0))
	for {
		f := n.Fetch(Fetch{Ref: TopicRef{Name: topic}, Offset: at, MaxBytes: 500, LeaderEpoch: -1})
		if f.Err != nil {
			n.t.Fatal(f.Err)
		}
		if len(f.Batches) == 0 {
			return out
		}
		for rest := f.Batches; len(rest) > 0; {
			v, next, err := batch.Next(rest)
			if err != nil {
				n.t.Fatal(err)
			}
			var r batch.Reader
			if err := r.Reset(v, 1<<20); err != nil {
				n.t.Fatal(err)
			}
			for r.Next() {
				if out[string(r.Key)] = string(r.Value); r.Value == nil {
					delete(out, string(r.Key))
				}
			}
			rest, at = next, v.LastOffset()+1
		}
	}
}

func TestACompactedTopicShrinksAndKeepsItsTable(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "60000"})
	at, who := tp("t", 0), n.producer("")
	want, last, seq := n.update("t", who, 120)
	before, end := n.LogSize(at), n.stable("t", 0)
	n.cleaner.Compact() // nothing lies below a durable mark yet: it asks for a checkpoint
	n.checkpoint()
	n.cleaner.Compact()
	if n.events.count("compacted") == 0 || n.LogSize(at) > before/3 {
		t.Fatalf("%d bytes became %d", before, n.LogSize(at))
	}
	shrunk := n.LogSize(at)
	for way, n := range n.everyWay() {
		if got := n.tableOf("t"); !maps.Equal(got, want) {
			t.Errorf("%s the table has %d keys, want %d: %v", way, len(got), len(want), got)
		}
		if n.LogSize(at) != shrunk || n.start(at) != 0 || n.stable("t", 0) != end {
			t.Errorf("%s: %d bytes, %d to %d", way, n.LogSize(at), n.start(at), n.stable("t", 0))
		}
		for o := record.Offset(0); o < end; o += 5 {
			f := n.Fetch(Fetch{Ref: TopicRef{Name: "t"}, Offset: o, MaxBytes: 1, LeaderEpoch: -1})
			if f.Err != nil || len(f.Batches) == 0 || endOf(f.Batches) <= o {
				t.Fatalf("%s a fetch at %d of %d has no batch behind it: %v", way, o, end, f.Err)
			}
		}
		if r := n.produce("t", 0, slices.Clone(last)); r.Err != nil || r.BaseOffset != end-4 {
			t.Errorf("%s a repeated batch is answered %d, %v; it stands at %d", way, r.BaseOffset, r.Err, end-4)
		}
		if way == "after a restart" {
			n.mustProduce("t", 0, keyed(batch.Params{ProducerID: who.ID, ProducerEpoch: who.Epoch, BaseSequence: seq}, testTime, "x=1"))
		}
	}
}

func TestTombstonesGoAfterTheirTime(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "60000", "min.cleanable.dirty.ratio": "0"})
	n.mustProduce("t", 0, keyed(noProducer, testTime, "gone=1"))
	n.mustProduce("t", 0, keyed(noProducer, testTime, "gone=-"))
	filler := func() {
		for i := range 20 {
			n.mustProduce("t", 0, keyed(noProducer, testTime, fmt.Sprintf("k%d=%0500d", i, 0)))
		}
		n.checkpoint()
		n.cleaner.Compact()
	}
	tombstones := func() (count int) {
		for _, r := range n.read("t", 0, false) {
			if r.value == "" {
				count++
			}
		}
		return count
	}
	filler()
	if got := n.read("t", 0, false)[0]; got.offset != 1 || got.value != "" {
		t.Fatalf("the log begins with %+v", got)
	}
	n.clock.Advance(59 * time.Second)
	if filler(); tombstones() != 1 {
		t.Error("the tombstone went too early")
	}
	n.clock.Advance(2 * time.Second)
	if filler(); tombstones() != 0 {
		t.Error("the tombstone is still there")
	}
}

func TestAnAbortedTransactionVanishesWithItsMarker(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "0", "min.cleanable.dirty.ratio": "0"})
	at := tp("t", 0)
	transact := func(who txn.Producer, commit bool, pairs ...string) txn.Producer {
		b := keyed(batch.Params{ProducerID: who.ID, ProducerEpoch: who.Epoch, Transactional: true}, testTime, pairs...)
		if r := get(t, n.Produce(Produce{TransactionalID: "x", Implicit: true, Items: []ProduceItem{item("t", 0, b)}}))[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
		r := get(t, n.EndTxn("x", who, commit, true))
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		return r.Producer
	}
	who := n.producer("x")
	who = transact(who, true, "a=1", "b=1")
	who = transact(who, false, "a=bad", "c=bad")
	transact(who, true, "b=2")
	want := map[string]string{"a": "a=1", "b": "b=2"}
	var size []int64
	for range 5 {
		for i := range 10 {
			pair := fmt.Sprintf("k%d=%0500d", i, 0)
			n.mustProduce("t", 0, keyed(noProducer, testTime, pair))
			want[fmt.Sprintf("k%d", i)] = pair
		}
		n.checkpoint()
		n.cleaner.Compact()
		size = append(size, n.LogSize(at))
		if got := n.table("t", true); !maps.Equal(got, want) {
			t.Fatalf("%v", got)
		}
	}
	if e := n.crash(); !maps.Equal(e.table("t", true), want) {
		t.Errorf("after a crash: %v", e.table("t", true))
	}
	p, _ := n.partition(TopicRef{Name: "t"}, 0)
	if shown, _ := p.look(); len(shown.aborted) > 0 {
		t.Errorf("%v is still listed; sizes %v", shown.aborted, size)
	}
	for _, r := range n.read("t", 0, false) {
		if strings.Contains(r.value, "bad") {
			t.Errorf("an aborted record is still there: %+v", r)
		}
	}
	if e := n.restart(); !maps.Equal(e.table("t", true), want) {
		t.Errorf("after a restart: %v", e.table("t", true))
	}
}

func TestCompactionStaysBelowAnOpenTransaction(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0"})
	who := n.producer("x")
	n.mustProduce("t", 0, keyed(noProducer, testTime, "a=1"))
	b := keyed(batch.Params{ProducerID: who.ID, ProducerEpoch: who.Epoch, Transactional: true}, testTime, "a=2")
	if r := get(t, n.Produce(Produce{TransactionalID: "x", Implicit: true, Items: []ProduceItem{item("t", 0, b)}}))[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	for range 30 {
		n.mustProduce("t", 0, keyed(noProducer, testTime, fmt.Sprintf("a=3-%0500d", 0)))
	}
	n.checkpoint()
	n.cleaner.Compact()
	if got := n.read("t", 0, true); len(got) != 1 || got[0].value != "a=1" {
		t.Errorf("committed readers see %v", got)
	}
	if got := len(n.read("t", 0, false)); got != 32 {
		t.Errorf("%d records are left of 32", got)
	}
}

// Retention and DeleteRecords go on beside a compaction: the next look finds what they have left.
func TestACompactionWhoseSegmentsGoMeanwhileIsRepeated(t *testing.T) {
	var meanwhile atomic.Pointer[func()]
	n := cleaningNodeOn(t, vfs.OnOp(vfs.NewCrashable(), func(op, path string) {
		if op == "create" && strings.HasSuffix(path, ".log.tmp") {
			if f := meanwhile.Swap(nil); f != nil {
				(*f)()
			}
		}
	}))
	n.topic("t", 1, map[string]string{"cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "0"})
	for i := range 40 {
		n.mustProduce("t", 0, keyed(noProducer, testTime, fmt.Sprintf("k=%d-%0500d", i, 0)))
	}
	n.checkpoint()
	log := n.view.Load().byName["t"].parts[0].log.Load()
	goes := func() {
		if err := log.AdvanceStart(log.Segments()[1].Base); err != nil {
			t.Error(err)
		}
	}
	meanwhile.Store(&goes)
	n.cleaner.Compact()
	n.cleaner.Compact()
	if n.events.count("compaction-failed") != 0 || n.events.count("compacted") != 1 || meanwhile.Load() != nil {
		t.Errorf("%+v", n.events.seen)
	}
}

func TestOldSegmentsEndByAge(t *testing.T) {
	n := cleaningNode(t)
	n.topic("t", 1, map[string]string{"segment.ms": "60000", "retention.ms": "-1"})
	n.mustProduce("t", 0, keyed(noProducer, testTime, "a=1"))
	n.checkpoint() // from here on the log has nothing to sync
	p, _ := n.partition(TopicRef{Name: "t"}, 0)
	segments := func() int { return len(p.log.Load().Segments()) }
	n.cleaner.Retain()
	n.clock.Advance(time.Minute)
	if n.cleaner.Retain(); segments() != 1 {
		t.Error("a segment ended too early")
	}
	n.clock.Advance(time.Second)
	if n.cleaner.Retain(); segments() != 2 {
		t.Error("the segment goes on")
	}
	n.clock.Advance(time.Hour)
	if n.cleaner.Retain(); segments() != 2 {
		t.Error("an empty segment ended")
	}
	n.checkpoint() // its mark stands in the new segment
	for way, n := range n.everyWay() {
		if got := values(n.read("t", 0, false)); !slices.Equal(got, []string{"a=1"}) {
			t.Errorf("%s: %v", way, got)
		}
	}
}

func TestTheCleanerWorksAtItsTimes(t *testing.T) {
	o := options(vfs.NewCrashable())
	n := boot(t, o)
	n.topic("t", 1, map[string]string{"retention.ms": "1"})
	n.mustProduce("t", 0, plain("a"))
	n.eventually("the record expires", func() bool {
		n.clock.Advance(time.Minute)
		return n.start(tp("t", 0)) == 1
	})
}

func TestBatchesAreCompressedAsTheTopicSays(t *testing.T) {
	n := newNode(t)
	text := strings.Repeat("some text ", 50)
	for name, codec := range admit.Codecs {
		n.topic(name, 1, map[string]string{"compression.type": name, "max.message.bytes": "600"})
		for from := batch.None; from <= batch.Zstd; from++ {
			b := build(batch.Params{ProducerID: -1, Codec: from}, text)
			r := n.produce(name, 0, b)
			if codec == batch.None && from != batch.None && len(build(noProducer, text)) > 600 {
				wantErr(t, r.Err, kerr.MessageTooLarge)
				continue
			}
			if from == batch.None && len(b) > 600 {
				wantErr(t, r.Err, kerr.MessageTooLarge)
				continue
			}
			if r.Err != nil {
				t.Fatalf("%s from %d: %v %s", name, from, r.Err, r.Detail)
			}
			f := n.Fetch(Fetch{Ref: TopicRef{Name: name}, Offset: r.BaseOffset, MaxBytes: 1, LeaderEpoch: -1})
			if v := batch.View(f.Batches); v.Codec() != codec || v.CheckCRC() != nil {
				t.Errorf("%s from %d is stored as %d", name, from, v.Codec())
			}
		}
		for _, v := range values(n.read(name, 0, false)) {
			if v != text {
				t.Errorf("%s changed the record to %.20q", name, v)
			}
		}
	}
}

func TestACompactedTopicTakesNoRecordWithoutKey(t *testing.T) {
	n := newNode(t)
	n.topic("t", 1, map[string]string{"cleanup.policy": "compact,delete"})
	var b batch.Builder
	b.Append(1, nil, []byte("v"), nil)
	keyless := b.AppendTo(nil)
	wantErr(t, n.produce("t", 0, slices.Clone(keyless)).Err, kerr.InvalidRecord)
	r := get(t, n.OpenEpochs("app").Append(Epoch{Batches: []EpochBatch{{TopicPartition: tp("t", 0), Bytes: slices.Clone(keyless)}}}))
	wantErr(t, r.Err, kerr.InvalidRecord)
}

func TestNodeWideDefaultsOfTopicSettings(t *testing.T) {
	o := options(vfs.NewCrashable())
	o.TopicDefaults = map[string]string{"retention.ms": "7200000"}
	n := boot(t, o)
	n.topic("t", 1, map[string]string{"segment.ms": "5"})
	found := func(all []Config) map[string]Config {
		out := map[string]Config{}
		for _, c := range all {
			out[c.Name] = c
		}
		return out
	}
	all, err := n.TopicConfigs("t")
	if err != nil {
		t.Fatal(err)
	}
	topic, node := found(all), found(n.BrokerConfigs())
	for _, want := range []struct {
		c                    Config
		value, source, deflt string
	}{
		{topic["retention.ms"], "7200000", "broker", "604800000"},
		{topic["segment.ms"], "5", "topic", "604800000"},
		{topic["cleanup.policy"], "delete", "default", "delete"},
		{node["log.retention.ms"], "7200000", "broker", "604800000"},
		{node["log.retention.hours"], "2", "broker", "168"},
		{node["log.roll.hours"], "168", "default", "168"},
		{node["log.cleaner.enable"], "true", "default", "true"},
		{node["log.retention.check.interval.ms"], "300000", "default", "300000"},
	} {
		if want.c.Value != want.value || want.c.Source != want.source || want.c.Default != want.deflt {
			t.Errorf("%+v, want %+v", want.c, want)
		}
	}
	if p, _ := n.partition(TopicRef{Name: "t"}, 0); p.rules.Load().RetentionMillis != 7200000 {
		t.Errorf("%+v", *p.rules.Load())
	}
	o.TopicDefaults = map[string]string{"retention.ms": "soon"}
	if _, err := Open(o); err == nil {
		t.Error("opened with a wrong default")
	}
}

// Where there is no room to note what is removed the node goes on, and the files go with a later checkpoint.
func TestFilesGoLaterWhenThereIsNoRoomToNoteIt(t *testing.T) {
	var full atomic.Bool
	n := boot(t, options(vfs.FailOp(vfs.NewCrashable(), func(op, path string) error {
		if full.Load() && op == "write" && strings.HasSuffix(path, "start.tmp") {
			return syscall.ENOSPC
		}
		return nil
	})))
	n.topic("a", 1, nil)
	for i := range 60 {
		n.mustProduce("a", 0, plain(fmt.Sprintf("%d %01000d", i, 0)))
	}
	n.checkpoint()
	segments := func() int { return len(n.view.Load().byName["a"].parts[0].log.Load().Segments()) }
	before := segments()
	full.Store(true)
	if r := get(t, n.DeleteRecords(tp("a", 0), 50)); r.Err != nil {
		t.Fatal(r.Err)
	}
	n.checkpoint()
	n.events.await(t, "removal-postponed")
	if got := n.start(tp("a", 0)); got != 50 || segments() != before {
		t.Errorf("start %d, %d segments of %d", got, segments(), before)
	}
	full.Store(false)
	n.checkpoint()
	if segments() >= before {
		t.Errorf("%d segments of %d are left", segments(), before)
	}
	n = n.restart()
	if got := n.read("a", 0, false); len(got) != 10 || n.start(tp("a", 0)) != 50 {
		t.Errorf("%d records from %d", len(got), n.start(tp("a", 0)))
	}
}

// No block comes any more that would tell that the journal's large buffers are not needed.
func TestAnIdleBrokerGivesBackTheMemoryOfABurst(t *testing.T) {
	const burst = 8 << 20
	o := options(vfs.NewCrashable())
	o.JournalFileSize, o.SegmentBytes = 4*burst, 4*burst
	n := boot(t, o)
	n.topic("t", 1, map[string]string{"max.message.bytes": fmt.Sprint(2 * burst)})
	for range 2 { // there are two buffers
		n.mustProduce("t", 0, plain(strings.Repeat("x", burst)))
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	n.eventually("the buffers are given back", func() bool {
		n.clock.Advance(15 * time.Second)
		return heap() < before-3*burst/2
	})
	runtime.KeepAlive(n)
}
