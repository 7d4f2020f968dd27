package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

var changelogTopic = topology.Changelog(app, tableName)

var allTopics = []string{leftTopic, rightTopic, eventsTopic, totalsTopic, changelogTopic}

// recover opens what a crash left, as its owner would: the node and its pipeline start, the outside services send again what
// they have no answer to, and the pipeline catches up.
func recover(fs vfs.FS, facts []fact) (*node, error) {
	n, err := open(fs, nil)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	err = createTopics(n.door)
	if err == nil {
		err = n.run()
	}
	if err == nil {
		err = resend(n, facts)
	}
	if err == nil {
		err = n.settle()
	}
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// resend is what producers do after a crash: the idempotent one repeats what is not acknowledged, in order; the transactional
// one starts anew, which aborts what it left open.
func resend(n *node, facts []fact) error {
	var waiting []*produced
	for _, f := range facts {
		if f.txn == 0 && !f.acked {
			waiting = append(waiting, send(n.broker, f))
		}
	}
	for _, r := range waiting {
		if err := answered(r); err != nil {
			return fmt.Errorf("send again: %w", err)
		}
	}
	_, err := initProducer(n.broker, txnID)
	return err
}

// check recovers a crash state and compares it with the facts; then a clean restart must change nothing.
func check(fs vfs.FS, facts []fact) error {
	n, err := recover(fs, facts)
	if err != nil {
		return err
	}
	err = n.halt()
	var before contents
	if err == nil {
		before, err = read(n.door)
	}
	if err == nil {
		err = errors.Join(judge(before, facts), checkState(n, before))
	}
	if err := errors.Join(err, n.close()); err != nil {
		return err
	}
	return checkRestart(fs, facts, before)
}

// checkRestart starts again after a clean end: nothing is replayed, read, written or published.
func checkRestart(fs vfs.FS, facts []fact, before contents) error {
	for i := range facts {
		facts[i].acked = true
	}
	n, err := recover(fs, facts)
	if err != nil {
		return fmt.Errorf("after a clean end: %w", err)
	}
	var errs []error
	if r := n.replayed.Load(); r != 0 {
		errs = append(errs, fmt.Errorf("after a clean end %d changelog records were replayed", r))
	}
	errs = append(errs, n.halt())
	if st := n.engine.Status(); st.Epochs != 0 || st.Processed != 0 {
		errs = append(errs, fmt.Errorf("after a clean end %d records were processed in %d epochs", st.Processed, st.Epochs))
	}
	ends, err := n.door.Ends(context.Background(), partitionsOf(allTopics...)...)
	errs = append(errs, err)
	for tp, end := range ends {
		if end != before.ends[tp] {
			errs = append(errs, fmt.Errorf("after a clean end %v grew from %d to %d", tp, before.ends[tp], end))
		}
	}
	return errors.Join(append(errs, n.close())...)
}

// contents are the committed records of all topics.
type contents struct {
	rows map[string][]row
	ends map[record.TopicPartition]record.Offset
}

type row struct {
	tp         record.TopicPartition
	offset     record.Offset
	key, value string
}

func read(d client.Door) (contents, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := contents{rows: map[string][]row{}}
	tps := partitionsOf(allTopics...)
	var err error
	if c.ends, err = d.Ends(ctx, tps...); err != nil {
		return c, err
	}
	from, left := map[record.TopicPartition]record.Offset{}, 0
	for _, tp := range tps {
		from[tp] = 0
		if c.ends[tp] > 0 {
			left++
		}
	}
	r, err := d.OpenReader(ctx, from)
	if err != nil {
		return c, err
	}
	defer r.Close()
	for left > 0 {
		chunks, err := r.Poll(ctx, 1<<20)
		if err != nil {
			return c, err
		}
		for _, chunk := range chunks {
			for i := range chunk.Offsets {
				c.rows[chunk.Topic] = append(c.rows[chunk.Topic], row{chunk.TopicPartition, chunk.Offsets[i], string(chunk.Keys[i]), string(chunk.Values[i])})
			}
			if chunk.Next == c.ends[chunk.TopicPartition] {
				left--
			}
		}
	}
	return c, nil
}

// judge compares the topics with what was asked for, and what was derived with what it is derived from.
func judge(c contents, facts []fact) error {
	return errors.Join(judgeInputs(c, facts), judgeEvents(c), judgeTotals(c))
}

// judgeInputs: everything acknowledged stands in its topic once, transactions stand whole or not at all, nothing else does.
func judgeInputs(c contents, facts []fact) error {
	found := map[string]record.TopicPartition{}
	var errs []error
	for _, r := range append(append([]row(nil), c.rows[leftTopic]...), c.rows[rightTopic]...) {
		if was, twice := found[r.value]; twice {
			errs = append(errs, fmt.Errorf("%.20s stands in %v and again in %v at %d", r.value, was, r.tp, r.offset))
		}
		found[r.value] = r.tp
	}
	ends := map[int]fact{}
	for _, f := range facts {
		if f.end {
			ends[f.txn] = f
		}
	}
	known, visible := 0, map[int]bool{}
	for i, f := range facts {
		n := 0
		for _, v := range f.values {
			if tp, ok := found[v]; ok && tp == f.tp {
				n++
			}
		}
		known += n
		switch end, asked := ends[f.txn]; {
		case f.end:
		case n != 0 && n != len(f.values):
			errs = append(errs, fmt.Errorf("fact %d is torn: %d of %d records in %v", i, n, len(f.values), f.tp))
		case f.txn == 0 && n == 0:
			errs = append(errs, fmt.Errorf("fact %d (acknowledged before the crash: %t) is lost", i, f.acked))
		case f.txn > 0 && n > 0 && !(asked && end.commit):
			errs = append(errs, fmt.Errorf("fact %d of transaction %d is visible without a commit", i, f.txn))
		case f.txn > 0 && n == 0 && asked && end.commit && end.acked:
			errs = append(errs, fmt.Errorf("fact %d of committed transaction %d is lost", i, f.txn))
		case f.txn > 0:
			if was, seen := visible[f.txn]; seen && was != (n > 0) {
				errs = append(errs, fmt.Errorf("transaction %d is torn", f.txn))
			}
			visible[f.txn] = n > 0
		}
	}
	if known != len(found) {
		errs = append(errs, fmt.Errorf("%d values stand in the inputs, only %d of them were asked for there", len(found), known))
	}
	return errors.Join(errs...)
}

// judgeEvents: the common topic holds what follows from each input, once.
func judgeEvents(c contents) error {
	var errs []error
	want := map[string]string{}
	for _, topic := range []string{leftTopic, rightTopic} {
		for _, r := range c.rows[topic] {
			want[derive(topic, r.value)] = r.key
		}
	}
	inputs := len(want)
	for _, r := range c.rows[eventsTopic] {
		key, ok := want[r.value]
		if !ok || key != r.key {
			errs = append(errs, fmt.Errorf("event %q with key %q at %v/%d follows from no input or is there twice", r.value, r.key, r.tp, r.offset))
		}
		delete(want, r.value)
	}
	for v := range want {
		errs = append(errs, fmt.Errorf("event %q is missing (%d inputs, %d events)", v, inputs, len(c.rows[eventsTopic])))
	}
	return errors.Join(errs...)
}

// expected is the table computed anew from the inputs.
func expected(c contents) map[string]total {
	want := map[string]total{}
	for _, topic := range []string{leftTopic, rightTopic} {
		for _, r := range c.rows[topic] {
			account := parse(r.value).account
			want[account] = want[account].add(r.value)
		}
	}
	return want
}

// judgeTotals: an account's totals count 1, 2, 3 … and end at what the inputs add up to; so does the changelog.
func judgeTotals(c contents) error {
	var errs []error
	last := map[string]total{}
	for _, r := range c.rows[totalsTopic] {
		t, err := totalSerde{}.Decode([]byte(r.value))
		if err != nil || t.count != last[r.key].count+1 {
			errs = append(errs, fmt.Errorf("total %q of %s at %v/%d follows %v (%v)", r.value, r.key, r.tp, r.offset, last[r.key], err))
		}
		last[r.key] = t
	}
	changes := map[string]total{}
	for _, r := range c.rows[changelogTopic] {
		t, err := totalSerde{}.Decode([]byte(r.value))
		if err != nil || t.count <= changes[r.key].count {
			errs = append(errs, fmt.Errorf("change %q of %s at %v/%d follows %v (%v)", r.value, r.key, r.tp, r.offset, changes[r.key], err))
		}
		changes[r.key] = t
	}
	want := expected(c)
	return errors.Join(append(errs, same("topic", want, last), same("changelog", want, changes))...)
}

func same(what string, want, got map[string]total) error {
	var diff []string
	for k, t := range want {
		if got[k] != t {
			diff = append(diff, fmt.Sprintf("%s is %v, the inputs add up to %v", k, got[k], t))
		}
	}
	if len(got) > len(want) {
		diff = append(diff, fmt.Sprintf("%d accounts where %d are known", len(got), len(want)))
	}
	if diff == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", what, strings.Join(diff, "; "))
}

// checkState loads the checkpoint that the clean end has left: it stands at the changelog's end and holds the table.
func checkState(n *node, c contents) error {
	ckpt, err := store.OpenCheckpoints(n.state, app)
	if err != nil {
		return err
	}
	var tables []*store.Table[string, total]
	for _, tp := range partitionsOf(changelogTopic) {
		t := store.NewTable(store.Options[string, total]{Name: tableName, Partition: tp.Partition, Key: serde.String, Value: totalSerde{}})
		next, ok, err := ckpt.Load(t)
		if err != nil {
			return err
		}
		if !ok || next != c.ends[tp] {
			return fmt.Errorf("the checkpoint of %v stands at %d, the changelog ends at %d", tp, next, c.ends[tp])
		}
		tables = append(tables, t)
	}
	got := map[string]total{}
	if err := store.NewView(tables...).Scan(func(k string, t total) bool { got[k] = t; return true }); err != nil {
		return err
	}
	return same("checkpoint", expected(c), got)
}
