package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/broker/producer"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// A checker compares one recovered broker with the facts.
type checker struct {
	t     *testing.T
	name  string
	n     *node
	facts []fact
	all   map[record.TopicPartition]map[string]record.Offset // values as an uncommitted reader finds them
	seen  map[record.TopicPartition]map[string]record.Offset // as a committed one does
	gone  map[string]bool                                    // topics whose deletion was asked for

	trimmed record.Offset
	aged    record.Offset
}

func (c *checker) errorf(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%s: %s", c.name, fmt.Sprintf(format, args...))
}

// check opens clone and judges it, in a goroutine of its own: who asks is one of the node's that came to a file operation, and has to go on when a
// check gives up.
func check(t *testing.T, name string, clone *vfs.MemFS, facts []fact) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		judge(t, name, clone, facts)
	}()
	<-done
}

func judge(t *testing.T, name string, clone *vfs.MemFS, facts []fact) {
	n, stop, err := runBriefly(t, clone)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer stop()
	c := &checker{t: t, name: name, n: n, facts: facts, gone: map[string]bool{}}
	for _, f := range facts {
		if f.kind == "delete" {
			c.gone[f.tp.Topic] = true
		}
	}
	c.topics()
	c.load()
	c.start()
	c.batches()
	c.keys()
	c.epochs()
	c.transactions()
	c.offsets()
	c.retries()
}

func (c *checker) topics() {
	for _, f := range c.facts {
		exists := c.n.Topics().ByName[f.tp.Topic] != nil
		switch {
		case f.kind == "topic" && f.acked && !exists && !c.gone[f.tp.Topic]:
			c.errorf("topic %s is lost", f.tp.Topic)
		case f.kind == "delete" && f.acked && exists:
			c.errorf("deleted topic %s is back", f.tp.Topic)
		}
	}
}

// load reads everything both ways: no value twice, none that nobody wrote.
func (c *checker) load() {
	home := map[string]record.TopicPartition{}
	for _, f := range c.facts {
		for _, v := range f.values {
			home[v] = f.tp
		}
		for _, p := range f.parts {
			for _, v := range p.values {
				home[v] = p.tp
			}
		}
	}
	c.all, c.seen = map[record.TopicPartition]map[string]record.Offset{}, map[record.TopicPartition]map[string]record.Offset{}
	for _, topic := range c.n.Topics().ByName {
		for i := range topic.Partitions {
			at := tp(topic.Name, i)
			c.all[at], c.seen[at] = c.values(at, false, home), c.values(at, true, home)
		}
	}
}

func (c *checker) values(at record.TopicPartition, committed bool, home map[string]record.TopicPartition) map[string]record.Offset {
	rows, err := c.n.readAll(at, committed)
	if err != nil {
		c.errorf("read %v: %v", at, err)
	}
	out := map[string]record.Offset{}
	for _, r := range rows {
		if first, twice := out[r.value]; twice {
			c.errorf("%.12s stands twice in %v, at %d and %d", r.value, at, first, r.offset)
		}
		if home[r.value] != at {
			c.errorf("%.12s in %v was never asked for there", r.value, at)
		}
		out[r.value] = r.offset
	}
	return out
}

// whole reports whether all or none of values are in m.
func (c *checker) whole(m map[string]record.Offset, values []string, what string) (present bool) {
	n := 0
	for _, v := range values {
		if _, ok := m[v]; ok {
			n++
		}
	}
	if n != 0 && n != len(values) {
		c.errorf("%s is torn: %d of %d records", what, n, len(values))
	}
	return n > 0
}

// start reads where the trimmed topic begins: between what was acknowledged and what was asked for.
func (c *checker) start() {
	low, high := int64(0), int64(0)
	for _, f := range c.facts {
		if f.kind == "trim" {
			high = f.number
			if f.acked {
				low = f.number
			}
		}
	}
	for _, f := range c.facts {
		if f.kind == "aged" && f.acked {
			c.aged = record.Offset(f.number)
		}
	}
	if got := c.n.start(tp("aged", 0)); c.n.Topics().ByName["aged"] != nil && got < c.aged {
		c.errorf("the log begins at %d, it began at %d before", got, c.aged)
	} else {
		c.aged = got
	}
	c.trimmed = c.n.ListOffset(TopicRef{Name: "trim"}, 0, atStart, false).Offset
	if got := int64(c.trimmed); got < low || got > high {
		c.errorf("the trimmed topic begins at %d, acknowledged %d, asked for %d", got, low, high)
	}
}

// keys: of each key of the compacted topic, the last value that was acknowledged or a later one is there, and nothing else stands
// behind it.
func (c *checker) keys() {
	at := tp("kept", 0)
	low, asked, last := map[string]int{}, map[string]int{}, map[string]string{}
	n := 0
	for _, f := range c.facts {
		if f.kind != "keyed" {
			continue
		}
		for _, v := range f.values {
			n++
			asked[v] = n
			if key, _, _ := strings.Cut(v, "="); f.acked {
				low[key] = n
			}
		}
	}
	newest := map[string]record.Offset{}
	for v, o := range c.all[at] {
		if key, _, _ := strings.Cut(v, "="); o >= newest[key] {
			newest[key], last[key] = o, v
		}
	}
	for key, want := range low {
		if got := asked[last[key]]; got < want {
			c.errorf("%s is %.12s, number %d; number %d was acknowledged", key, last[key], got, want)
		}
	}
	if start := c.n.start(at); start != 0 {
		c.errorf("the compacted topic begins at %d", start)
	}
}

func (c *checker) batches() {
	for i, f := range c.facts {
		if f.kind != "batch" || c.gone[f.tp.Topic] || f.acked && f.base < map[string]record.Offset{"trim": c.trimmed, "aged": c.aged}[f.tp.Topic] {
			continue
		}
		present := c.whole(c.all[f.tp], f.values, fmt.Sprintf("batch %d", i))
		if !f.acked {
			continue
		}
		if !present {
			c.errorf("acknowledged batch %d at %d of %v is lost", i, f.base, f.tp)
			continue
		}
		for k, v := range f.values {
			if got := c.all[f.tp][v]; got != f.base+record.Offset(k) {
				c.errorf("record %d of batch %d was acknowledged at %d, stands at %d", k, i, f.base+record.Offset(k), got)
			}
		}
	}
}

func (c *checker) epochs() {
	last := int64(-1)
	for _, f := range c.facts {
		if f.kind != "epoch" {
			continue
		}
		var present, absent bool
		for _, p := range f.parts {
			if c.whole(c.seen[p.tp], p.values, fmt.Sprintf("epoch %d", f.number)) {
				present = true
			} else {
				absent = true
			}
		}
		if present && absent {
			c.errorf("epoch %d is torn", f.number)
		}
		if f.acked && !present {
			c.errorf("acknowledged epoch %d is lost", f.number)
		}
		if present {
			last = f.number
		}
	}
	if got := c.n.committed("app"); int64(got) != last {
		c.errorf("offset %d stands with epoch %d", got, last)
	}
}

// transactions: visible whole or not at all, together with their offsets; the stable offset waits for those that have not ended.
func (c *checker) transactions() {
	ends := map[int]fact{}
	written := map[int][]fact{}
	for _, f := range c.facts {
		switch {
		case f.kind == "end":
			ends[f.txn] = f
		case f.txn > 0:
			written[f.txn] = append(written[f.txn], f)
		}
	}
	visible := int64(-1)
	for no := 1; no <= len(ends)+1; no++ {
		end, asked := ends[no]
		shown, hidden := 0, 0
		for _, f := range written[no] {
			if c.whole(c.seen[f.tp], f.values, fmt.Sprintf("batch of transaction %d", no)) {
				shown++
			} else {
				hidden++
			}
		}
		switch {
		case shown > 0 && hidden > 0:
			c.errorf("transaction %d is torn: %d batches visible, %d not", no, shown, hidden)
		case shown > 0 && !(asked && end.commit):
			c.errorf("transaction %d is visible without a commit", no)
		case hidden > 0 && asked && end.commit && end.acked:
			c.errorf("committed transaction %d is not visible", no)
		}
		if asked && end.commit && (end.acked || shown > 0) {
			visible = int64(no)
		}
	}
	got := int64(c.n.committed("tg"))
	if end, asked := ends[int(max(got, 0))]; got != visible && !(asked && end.commit && !end.acked && len(written[int(got)]) == 0) {
		c.errorf("offset of transaction %d stands with transaction %d", got, visible)
	}
}

func (c *checker) offsets() {
	low, high := int64(-1), int64(-1)
	for _, f := range c.facts {
		if f.kind == "offset" {
			high = f.number
			if f.acked {
				low = f.number
			}
		}
	}
	if got := int64(c.n.committed("g")); got < low || got > high {
		c.errorf("offset %d, acknowledged %d, asked for %d", got, low, high)
	}
}

// retries sends the last batches of the idempotent producer again, as a client would that lost its answers.
func (c *checker) retries() {
	byPartition := map[record.TopicPartition][]fact{}
	for _, f := range c.facts {
		if f.kind == "batch" && f.txn == 0 && f.who.ID >= 0 {
			byPartition[f.tp] = append(byPartition[f.tp], f)
		}
	}
	for at, fs := range byPartition {
		stored := 0
		for _, f := range fs {
			if _, ok := c.all[at][f.values[0]]; ok {
				stored++
			}
		}
		from := max(0, stored-producer.Kept) // what is not stored comes again too, in order
		for _, f := range fs[from:] {
			r := c.n.produce(at.Topic, at.Partition, sent(f.who, f.seq, f.values...))
			if r.Err != nil {
				c.errorf("repetition of sequence %d in %v: %v %s", f.seq, at, r.Err, r.Detail)
				return
			}
			if was, ok := c.all[at][f.values[0]]; ok && was != r.BaseOffset {
				c.errorf("repetition of sequence %d in %v answers %d, it stands at %d", f.seq, at, r.BaseOffset, was)
			}
		}
		found := map[string]int{}
		for _, r := range c.n.read(at.Topic, at.Partition, false) {
			found[r.value]++
		}
		for _, f := range fs {
			for _, v := range f.values {
				if found[v] != 1 {
					c.errorf("%.12s stands %d times in %v after the repetition", v, found[v], at)
				}
			}
		}
	}
}
