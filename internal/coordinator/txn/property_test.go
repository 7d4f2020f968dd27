package txn

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"pgregory.net/rapid"
)

// A book is what an outsider knows about a transactional id.
type book struct {
	seen  []Producer // every producer ever given out, in order
	now   Producer   // the newest
	open  bool
	parts map[record.TopicPartition]bool
	due   time.Duration
}

// A driver calls the machine at random and keeps the books that the machine must agree with.
type driver struct {
	t       *rapid.T
	m       *Txns
	now     time.Duration
	books   map[string]*book
	ids     map[int64]string // producer id → who has it
	records [][]byte
}

// Whatever is asked in whatever order: a producer id belongs to one owner, epochs only rise, only the newest producer changes a
// transaction, a transaction ends once and with everything that was added to it, its markers are not older than its data, and the
// records rebuild the state at every point.
func TestRandomCallsKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Expiry: 100 * time.Second}
		d := &driver{t: t, m: New(o), books: map[string]*book{}, ids: map[int64]string{}}
		if rapid.Bool().Draw(t, "old") {
			d.age("x", Producer{100, rapid.Int16Range(lastEpoch-3, lastEpoch).Draw(t, "epoch")})
		}
		ops := rapid.IntRange(1, 60).Draw(t, "ops")
		cut := rapid.IntRange(0, ops).Draw(t, "cut")
		var snapshot []byte
		cutRecords := 0
		for i := range ops {
			if i == cut {
				snapshot, cutRecords = d.m.AppendSnapshot(nil), len(d.records)
			}
			d.step()
			d.check()
		}
		d.compareReplay(o, nil, d.records)
		if cut < ops {
			d.compareReplay(o, snapshot, d.records[cutRecords:])
		}
	})
}

func (d *driver) compareReplay(o Options, snapshot []byte, records [][]byte) {
	m := New(o)
	if err := m.LoadSnapshot(snapshot); err != nil {
		d.t.Fatal(err)
	}
	for _, rec := range records {
		if err := m.Apply(rec); err != nil {
			d.t.Fatal(err)
		}
	}
	if got, want := m.AppendSnapshot(nil), d.m.AppendSnapshot(nil); !bytes.Equal(got, want) {
		d.t.Fatalf("replay gives another state:\n%q\n%q", got, want)
	}
}

// age gives an id a past that is near its last epoch.
func (d *driver) age(id string, p Producer) {
	o := newOwner(id)
	o.producer, o.timeout = p, time.Minute
	rec := appendProducer(nil, o)
	if err := d.m.Apply(rec); err != nil {
		d.t.Fatal(err)
	}
	d.m.Restored(0)
	d.records = append(d.records, rec)
	d.ids[p.ID] = id
	d.books[id] = &book{seen: []Producer{p}, now: p}
}

func (d *driver) step() {
	d.now += time.Duration(rapid.SampledFrom([]int{0, 1, 5, 30}).Draw(d.t, "pass")) * time.Second
	id := rapid.SampledFrom([]string{"x", "y"}).Draw(d.t, "id")
	p := Producer{99, 0}
	if b := d.books[id]; b != nil && rapid.IntRange(0, 9).Draw(d.t, "stranger") > 0 {
		p = b.now
		if rapid.IntRange(0, 3).Draw(d.t, "past") == 0 {
			p = rapid.SampledFrom(b.seen).Draw(d.t, "producer")
		}
	}
	switch rapid.IntRange(0, 9).Draw(d.t, "op") {
	case 0, 1:
		d.init(id, p)
	case 2, 3, 4:
		d.add(id, p)
	case 5, 6, 7, 8:
		d.end(id, p)
	case 9:
		d.tick()
	}
}

func (d *driver) init(id string, p Producer) {
	r := Init{ID: id, Timeout: 20 * time.Second, Current: None}
	if rapid.Bool().Draw(d.t, "named") {
		r.Current = p
	}
	b := d.books[id]
	got, ends, records, err := d.m.Init(d.now, r)
	if err != nil {
		if r.Current == None {
			d.t.Fatalf("Init without Current: %v", err)
		}
		return
	}
	if b != nil && r.Current != None && r.Current != b.now && got != b.now {
		d.t.Fatalf("Init of %v got the new producer %v while %v is newest", r.Current, got, b.now)
	}
	if (len(ends) == 1) != (b != nil && b.open) {
		d.t.Fatalf("%d ends, open: %v", len(ends), b)
	}
	for _, e := range ends {
		d.ended(e, false)
	}
	d.records = append(d.records, records...)
	d.given(id, got)
}

// given books a producer that the id has from now on.
func (d *driver) given(id string, p Producer) {
	b := d.books[id]
	if b == nil {
		b = &book{now: None}
		d.books[id] = b
	}
	if p == b.now {
		return
	}
	if owner, taken := d.ids[p.ID]; taken && owner != id {
		d.t.Fatalf("producer id %d belongs to %s and %s", p.ID, owner, id)
	}
	if slices.Contains(b.seen, p) || p.ID == b.now.ID && p.Epoch < b.now.Epoch || p.Epoch > lastEpoch || p.Epoch < 0 {
		d.t.Fatalf("%s gets %v after %v", id, p, b.seen)
	}
	d.ids[p.ID] = id
	b.now, b.seen = p, append(b.seen, p)
}

func (d *driver) add(id string, p Producer) {
	tp := record.TopicPartition{Topic: "t", Partition: int32(rapid.IntRange(0, 3).Draw(d.t, "partition"))}
	records, err := d.m.AddPartitions(d.now, 0, id, p, []record.TopicPartition{tp})
	b := d.books[id]
	if (err == nil) != (b != nil && p == b.now) {
		d.t.Fatalf("AddPartitions of %v, newest is %v: %v", p, b, err)
	}
	d.records = append(d.records, records...)
	if err != nil {
		return
	}
	if !b.open {
		b.open, b.parts, b.due = true, map[record.TopicPartition]bool{}, d.now+d.m.ids[id].timeout
	}
	b.parts[tp] = true
}

func (d *driver) end(id string, p Producer) {
	commit, bump := rapid.Bool().Draw(d.t, "commit"), rapid.Bool().Draw(d.t, "bump")
	b := d.books[id]
	next, end, done, err := d.m.End(d.now, id, p, commit, bump)
	switch {
	case err != nil:
		if b != nil && p == b.now && b.open {
			d.t.Fatalf("the open transaction of %v does not end: %v", p, err)
		}
		return
	case done:
		if b.open {
			d.t.Fatalf("an end of %v is done although a transaction is open", p)
		}
		if next != b.now {
			d.t.Fatalf("a retry says %v, newest is %v", next, b.now)
		}
		return
	}
	if p != b.now {
		d.t.Fatalf("%v ended a transaction of %v", p, b.now)
	}
	if !b.open && (commit || !bump) {
		d.t.Fatalf("an end without a transaction")
	}
	if (next != p) != bump || end.Producer.ID != p.ID || bump != (end.Producer.Epoch == p.Epoch+1) {
		d.t.Fatalf("bump %v of %v: markers %v, next %v", bump, p, end.Producer, next)
	}
	d.ended(end, commit)
	d.given(id, next)
	// Whatever retries now, however often, gets the same answer.
	again, _, done, err := d.m.End(d.now, id, p, commit, bump)
	if err != nil || !done || again != next {
		d.t.Fatalf("the retry got %v, %v, %v; first answer %v", again, done, err, next)
	}
}

func (d *driver) ended(e End, commit bool) {
	b := d.books[e.ID]
	if e.Commit != commit || len(e.Partitions) != len(b.parts) {
		d.t.Fatalf("end %+v, added %v", e, b.parts)
	}
	for _, tp := range e.Partitions {
		if !b.parts[tp] {
			d.t.Fatalf("end %+v, added %v", e, b.parts)
		}
	}
	b.open, b.parts = false, nil
	d.records = append(d.records, e.Record)
}

func (d *driver) tick() {
	for _, e := range d.m.Tick(d.now) {
		b := d.books[e.ID]
		if !b.open { // forgotten for lack of use
			d.records = append(d.records, e.Record)
			delete(d.books, e.ID)
			continue
		}
		if b.due > d.now || e.Producer != (Producer{b.now.ID, b.now.Epoch + 1}) {
			d.t.Fatalf("timeout at %v, due %v: %+v", d.now, b.due, e)
		}
		old := b.now
		d.ended(e, false)
		d.given(e.ID, d.m.ids[e.ID].producer)
		for _, bump := range []bool{false, true} {
			if _, _, _, err := d.m.End(d.now, e.ID, old, true, bump); err != kerr.ProducerFenced && old.Epoch < lastEpoch {
				d.t.Fatalf("a commit after the timeout abort: %v, want PRODUCER_FENCED", err)
			}
		}
	}
	if at, ok := d.m.Next(); ok && at <= d.now {
		d.t.Fatalf("after Tick(%v) something is still due at %v", d.now, at)
	}
}

func (d *driver) check() {
	for id, b := range d.books {
		desc, ok := d.m.Describe(id)
		if !ok || desc.Producer != b.now || (desc.State == "Ongoing") != b.open || len(desc.Partitions) != len(b.parts) {
			d.t.Fatalf("%s is %+v, want %+v", id, desc, b)
		}
		for p := range int32(4) {
			tp := record.TopicPartition{Topic: "t", Partition: p}
			for _, old := range b.seen {
				if want := b.open && old == b.now && b.parts[tp]; d.m.Open(id, old, tp) != want {
					d.t.Fatalf("Open(%s, %v, %v) is %v", id, old, tp, !want)
				}
			}
		}
	}
	if len(d.m.List()) != len(d.books) {
		d.t.Fatalf("%d ids, want %d", len(d.m.List()), len(d.books))
	}
}
