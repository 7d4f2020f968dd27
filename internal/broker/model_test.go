package broker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// The model is a partition as simple as can be: one entry per offset, and the whole history of every producer.
type model struct {
	entries []entry
	start   int
	sent    map[int64][]modelBatch
	epochs  map[int64]int16
}

type entry struct {
	value   string
	control bool
	txn     *modelTxn // nil outside transactions
}

type modelTxn struct {
	ended, committed bool
}

type modelBatch struct {
	epoch int16
	seq   int32
	n     int
	base  int
}

// check says what an idempotent batch must be answered: the offset of a repetition, an error, or -1 to append.
func (m *model) check(p txn.Producer, seq int32, n int) (at int, err *kerr.Error) {
	epoch, known := m.epochs[p.ID]
	switch {
	case !known:
		return -1, nil
	case p.Epoch < epoch:
		return 0, kerr.InvalidProducerEpoch
	case p.Epoch > epoch:
		if seq != 0 {
			return 0, kerr.OutOfOrderSequenceNumber
		}
		return -1, nil
	}
	history := slices.DeleteFunc(slices.Clone(m.sent[p.ID]), func(b modelBatch) bool { return b.epoch != epoch })
	want := int32(0)
	for i, b := range history {
		if i >= len(history)-5 && b.seq == seq && b.n == n {
			return b.base, nil
		}
		want = b.seq + int32(b.n)
	}
	if seq != want {
		return 0, kerr.OutOfOrderSequenceNumber
	}
	return -1, nil
}

func (m *model) append(p txn.Producer, seq int32, t *modelTxn, values []string) int {
	base := len(m.entries)
	for _, v := range values {
		m.entries = append(m.entries, entry{value: v, txn: t})
	}
	if p.ID >= 0 {
		m.sent[p.ID] = append(m.sent[p.ID], modelBatch{p.Epoch, seq, len(values), base})
		m.epochs[p.ID] = p.Epoch
	}
	return base
}

func (m *model) end(p txn.Producer) {
	m.entries = append(m.entries, entry{control: true})
	m.epochs[p.ID] = max(m.epochs[p.ID], p.Epoch)
}

func (m *model) stable() int {
	for i, e := range m.entries {
		if e.txn != nil && !e.txn.ended {
			return max(i, m.start)
		}
	}
	return len(m.entries)
}

func (m *model) rows(committed bool) []row {
	end := len(m.entries)
	if committed {
		end = m.stable()
	}
	rows := []row{}
	for i := m.start; i < end; i++ {
		e := m.entries[i]
		if e.control || committed && e.txn != nil && !e.txn.committed {
			continue
		}
		rows = append(rows, row{record.Offset(i), e.value})
	}
	return rows
}

// A modelProducer is one transactional id of the test.
type modelProducer struct {
	id   string
	who  txn.Producer
	open *modelTxn
	in   map[int]bool // partitions of the open transaction
	seq  [2]int32
}

func TestRandomOperationsAgainstAModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			d := &differ{t: t, rng: rand.New(rand.NewPCG(seed, 7)), n: newNode(t)}
			d.n.topic("a", 2, nil)
			for i := range d.m {
				d.m[i] = &model{sent: map[int64][]modelBatch{}, epochs: map[int64]int16{}}
			}
			for i := range d.ps {
				id := fmt.Sprint("tx", i)
				d.ps[i] = &modelProducer{id: id, who: d.n.producer(id), in: map[int]bool{}}
			}
			for i := range 400 {
				d.step(i)
				if i%20 == 0 {
					d.compare()
				}
				if t.Failed() {
					t.Fatalf("after step %d", i)
				}
			}
			d.compare()
		})
	}
}

type differ struct {
	t    *testing.T
	rng  *rand.Rand
	n    *node
	m    [2]*model
	ps   [2]*modelProducer
	next int
}

func (d *differ) values() []string {
	out := make([]string, 1+d.rng.IntN(4))
	for i := range out {
		d.next++
		out[i] = fmt.Sprint("v", d.next)
	}
	return out
}

func (d *differ) step(i int) {
	part := d.rng.IntN(2)
	switch k := d.rng.IntN(40); {
	case k < 8:
		vs := d.values()
		if got, want := d.n.mustProduce("a", int32(part), plain(vs...)), d.m[part].append(txn.None, 0, nil, vs); int(got) != want {
			d.t.Errorf("step %d: offset %d, want %d", i, got, want)
		}
	case k < 18:
		d.idempotent(part)
	case k < 30:
		d.transactional(d.ps[d.rng.IntN(2)], part)
	case k < 36:
		d.end(d.ps[d.rng.IntN(2)])
	case k == 36:
		d.trim(part)
	case k == 37:
		d.n = d.n.restart()
	case k == 38:
		d.n = d.n.crash()
	default:
		d.reinit(d.ps[d.rng.IntN(2)])
	}
}

// idempotent sends a batch with a sequence near what is expected: right, repeated, or wrong.
func (d *differ) idempotent(part int) {
	m := d.m[part]
	p := txn.Producer{ID: 1000 + d.rng.Int64N(2), Epoch: int16(d.rng.IntN(10) / 8)}
	vs := d.values()
	seq := int32(d.rng.IntN(4))
	if h := m.sent[p.ID]; len(h) > 0 {
		last := h[len(h)-1]
		switch seq = last.seq + int32(last.n); d.rng.IntN(4) {
		case 0:
			old := h[max(0, len(h)-1-d.rng.IntN(7))]
			seq = old.seq
			vs = vs[:1]
			for len(vs) < old.n {
				vs = append(vs, "again")
			}
		case 1:
			seq += int32(d.rng.IntN(3)) - 1
		}
		if p.Epoch > last.epoch {
			seq = int32(d.rng.IntN(2))
		}
	}
	seq = max(seq, 0)
	want, err := m.check(p, seq, len(vs))
	r := d.n.produce("a", int32(part), sent(p, seq, vs...))
	wantErr(d.t, r.Err, err)
	if err != nil {
		return
	}
	if want < 0 {
		want = m.append(p, seq, nil, vs)
	}
	if int(r.BaseOffset) != want {
		d.t.Errorf("producer %v sequence %d: offset %d, want %d", p, seq, r.BaseOffset, want)
	}
}

func (d *differ) transactional(p *modelProducer, part int) {
	vs := d.values()
	if p.open == nil {
		p.open = &modelTxn{}
	}
	p.in[part] = true
	r := d.n.txnProduce(p.id, true, "a", int32(part), txnSent(p.who, p.seq[part], vs...))
	want := d.m[part].append(p.who, p.seq[part], p.open, vs)
	p.seq[part] += int32(len(vs))
	if r.Err != nil || int(r.BaseOffset) != want {
		d.t.Errorf("%s: %+v, want offset %d", p.id, r, want)
	}
}

func (d *differ) end(p *modelProducer) {
	if p.open == nil {
		return
	}
	p.open.ended, p.open.committed = true, d.rng.IntN(2) == 0
	for part := range p.in {
		d.m[part].end(p.who)
	}
	p.who = d.n.end(p.id, p.who, p.open.committed, true)
	p.open, p.in, p.seq = nil, map[int]bool{}, [2]int32{}
}

// reinit makes a new instance of the producer, which aborts what the old one left open.
func (d *differ) reinit(p *modelProducer) {
	if p.open != nil {
		p.open.ended = true
		for part := range p.in {
			d.m[part].end(p.who)
		}
	}
	p.who = d.n.producer(p.id)
	p.open, p.in, p.seq = nil, map[int]bool{}, [2]int32{}
}

func (d *differ) trim(part int) {
	m := d.m[part]
	to := m.start + d.rng.IntN(len(m.entries)-m.start+1)
	if r := get(d.t, d.n.DeleteRecords(tp("a", int32(part)), record.Offset(to))); r.Err != nil || int(r.Offset) != to {
		d.t.Errorf("trim to %d: %+v", to, r)
	}
	m.start = to
}

func (d *differ) compare() {
	for part, m := range d.m {
		for _, committed := range []bool{false, true} {
			got, want := d.n.read("a", int32(part), committed), m.rows(committed)
			if !slices.Equal(got, want) {
				d.t.Errorf("partition %d committed=%v\n got %v\nwant %v", part, committed, got, want)
			}
		}
		if got := d.n.stable("a", int32(part)); int(got) != m.stable() {
			d.t.Errorf("partition %d is stable to %d, want %d", part, got, m.stable())
		}
	}
}
