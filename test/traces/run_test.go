package traces

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// A mode is a way to run a case.
type mode struct {
	name       string
	together   bool // all records wait before any is processed
	restart    bool // the tasks are thrown away and restored after every step
	partitions int32
	spilled    bool // rows leave memory after every epoch
	workers    int  // who share the tasks, one more or fewer after every step; 0: one does everything in memory
}

var modes = []mode{
	{name: "straight", partitions: 1},
	{name: "together", partitions: 1, together: true},
	{name: "restart", partitions: 1, restart: true},
	{name: "spilled", partitions: 1, spilled: true},
	{name: "spilled, restarts", partitions: 2, spilled: true, restart: true},
	{name: "2 tasks", partitions: 2},
	{name: "4 tasks", partitions: 4},
	{name: "workers", partitions: 2, workers: 2},
	{name: "workers, restarts", partitions: 4, workers: 3, restart: true},
}

// An outcome is what a run gave, as text.
type outcome struct {
	outputs map[string][]string // by topic
	dropped int64
	stores  map[string][]string // sorted
	err     error               // a step failed that should not, or did not that should
}

// A run is a case that is being run.
type run struct {
	c       *traceCase
	m       mode
	d       *streamtest.Driver
	sources map[string]kinds // by topic
	sinks   map[string]kinds
	outputs map[string]*streamtest.Output[[]byte, []byte]
	got     map[string][]string
}

// runCase runs a case that was built.
func runCase(c *traceCase, t *stream.Topology, m mode) outcome {
	r := &run{
		c: c, m: m, sources: map[string]kinds{}, sinks: map[string]kinds{},
		outputs: map[string]*streamtest.Output[[]byte, []byte]{}, got: map[string][]string{},
	}
	var err error
	if r.d, err = streamtest.Open(t, r.options()...); err != nil {
		return outcome{err: err}
	}
	r.topics()
	if err := r.steps(); err != nil {
		return outcome{err: err, outputs: r.got}
	}
	o := outcome{outputs: r.got}
	if c.Expect.Error != nil {
		return o
	}
	o.dropped = r.dropped()
	o.stores, o.err = r.stores()
	return o
}

func (r *run) options() []streamtest.Option {
	opts := []streamtest.Option{streamtest.Partitions(r.m.partitions)}
	if r.m.workers > 0 {
		opts = append(opts, streamtest.Workers(r.m.workers))
	}
	if r.m.partitions == 1 {
		opts = append(opts, streamtest.OneStreamTime())
	}
	if r.m.spilled {
		opts = append(opts, streamtest.Spilled())
	}
	if r.m.together {
		opts = append(opts, streamtest.Batch(len(r.c.Inputs)+1))
	}
	if r.c.Config.Deserialization == "continue" {
		opts = append(opts, streamtest.DeadLetterUndecodable())
	}
	return append(opts, r.cacheOptions()...)
}

// topics notes the types of all topics that the case reads and writes.
func (r *run) topics() {
	for _, parameters := range r.c.Topology {
		n := newNode(parameters)
		k := kinds{n.kt, n.vt}
		switch n.op {
		case "stream", "table", "globalTable":
			for _, topic := range append(n.list("topics"), n.text("topic")) {
				r.sources[topic] = k
			}
		case "to":
			topic := n.text("topic")
			r.sinks[topic] = k
			r.outputs[topic] = streamtest.NewOutput(r.d, topic, serde.Bytes, serde.Bytes)
		}
	}
}

// steps feeds all inputs. The error is that of a step that failed against expectation.
func (r *run) steps() error {
	for i, x := range r.c.Inputs {
		err := r.step(x)
		if r.c.failsAt(strconv.Itoa(i)) {
			if err == nil {
				return fmt.Errorf("step %d does not fail", i)
			}
			return nil
		}
		if err == nil && !r.m.together {
			err = r.collect(i)
		}
		if err == nil && r.m.workers > 0 {
			err = r.d.TryRebalance(1 + (i+r.m.workers)%(r.m.workers+1))
		}
		if err == nil && r.m.restart {
			err = r.d.TryRestart()
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return r.collect(0)
}

// step feeds one input.
func (r *run) step(x any) error {
	switch x := x.(type) {
	case []any:
		return r.pipe(x)
	case map[string]any:
		if raw, ok := x["raw"].([]any); ok {
			return r.pipeRaw(raw)
		}
		if x["commit"] != nil {
			return r.commit()
		}
		return r.advance(integer(x["advance"]))
	}
	return notBuilt(fmt.Sprintf("input %v", x))
}

func (r *run) pipe(x []any) error {
	rec, k, err := r.record(x)
	if err != nil {
		return err
	}
	if rec.Value, err = serdeOf(k.value).Append([]byte{}, fromJSON(x[2])); err != nil {
		return err
	}
	if len(x) > 4 {
		for _, h := range x[4].([]any) {
			header := h.([]any)
			rec.Headers = append(rec.Headers, record.Header{Key: header[0].(string), Value: []byte(header[1].(string))})
		}
	}
	return r.d.TryPipe(rec)
}

func (r *run) pipeRaw(x []any) error {
	rec, _, err := r.record(x)
	if err != nil {
		return err
	}
	if rec.Value, err = hex.DecodeString(x[2].(string)); err != nil {
		return err
	}
	return r.d.TryPipe(rec)
}

// record makes a record without its value.
func (r *run) record(x []any) (rec record.Record, k kinds, err error) {
	rec.Topic, rec.Timestamp = x[0].(string), record.Timestamp(integer(x[3]))
	k, known := r.sources[rec.Topic]
	if !known {
		return rec, k, fmt.Errorf("no step reads topic %s", rec.Topic)
	}
	rec.Key, err = serdeOf(k.key).Append([]byte{}, fromJSON(x[1]))
	return rec, k, err
}

// advance moves the wall clock.
func (r *run) advance(by int64) error { return r.d.TryAdvanceWallTime(ms(by)) }

// collect reads what the topics got since the last time, on behalf of a step.
func (r *run) collect(step int) error {
	for topic, out := range r.outputs {
		for _, rec := range out.ReadAll() {
			k, err := decodeKey(r.sinks[topic].key, rec.Key)
			if err != nil {
				return err
			}
			v, err := serdeOf(r.sinks[topic].value).Decode(rec.Value)
			if err != nil {
				return err
			}
			row := outputRow{step: step, key: k, value: v, time: int64(rec.Timestamp)}
			for _, h := range rec.Headers {
				row.headers = append(row.headers, h.Key+"="+string(h.Value))
			}
			r.got[topic] = append(r.got[topic], row.String())
		}
	}
	return nil
}

// An outputRow is a row of a topic, got or expected.
type outputRow struct {
	step    int
	key     key
	value   val
	time    int64
	headers []string
}

// String begins with the key, by which rows are put together where only the order within a key counts.
func (r outputRow) String() string {
	return fmt.Sprintf("%s\t%s %d %v, step %d", r.key.exact(), r.value.exact(), r.time, r.headers, r.step)
}

// uncounted are reasons for which Kafka Streams leaves out records without counting them.
var uncounted = []string{"null key at repartition"}

func (r *run) dropped() int64 {
	var sum int64
	for reason, n := range r.d.Dropped() {
		if !slices.Contains(uncounted, reason) {
			sum += n
		}
	}
	return sum
}

// stores reads the content of the stores that the case lists.
func (r *run) stores() (map[string][]string, error) {
	stores := map[string][]string{}
	var failed []error
	for name, want := range r.c.Expect.Stores {
		rows, err := r.store(name, want)
		if err != nil {
			failed = append(failed, fmt.Errorf("store %s: %w", name, err))
		}
		slices.Sort(rows)
		stores[name] = rows
	}
	return stores, errors.Join(failed...)
}

// store reads one store in the form of its kind; a kind that is not listed has none.
func (r *run) store(name string, want storeRows) ([]string, error) {
	if st := r.handStore(name); st != nil {
		return r.handRows(st, want), nil
	}
	switch want.Kind {
	case "kv", "tkv":
		return r.keyValueRows(name, want.Kind == "tkv")
	case "session":
		return r.sessionRows(name)
	case "versioned":
		return r.versionedRows(name, want)
	case "window", "twindow":
		return r.windowRows(name, want.Kind == "twindow")
	case "internal", "unspecified":
		return nil, nil
	}
	return nil, notBuilt("store of kind " + want.Kind)
}

func (r *run) keyValueRows(name string, timed bool) ([]string, error) {
	if r.waits(name) {
		return r.waitingRows(name)
	}
	view, err := streamtest.ViewOf[val, val](r.d, name)
	if err != nil {
		return nil, err
	}
	var rows []string
	err = view.ScanTimed(func(k, v val, ts record.Timestamp) bool {
		cells := []string{k.exact(), v.exact()}
		if timed {
			cells = append(cells, strconv.FormatInt(int64(ts), 10))
		}
		rows = append(rows, strings.Join(cells, " "))
		return true
	})
	return rows, err
}
