// Command table turns what the scripts in bench have measured into a Markdown table.
//
//	table payments|broker|streams|state|sql DIR
//
// DIR holds SYSTEM-STEP.jsonl, lines of the load tool.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 3 || tables[os.Args[1]].rows == nil {
		fmt.Fprintln(os.Stderr, "usage: table payments|broker|streams|state|sql DIR")
		os.Exit(2)
	}
	if err := tables[os.Args[1]].print(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// A table has a column for each system, a row for each figure. The last system is compared with the first.
type table struct {
	systems []system
	rows    []row
}

type system struct{ name, title string }

var tables = map[string]table{
	"payments": {[]system{{"kafka", "Apache Kafka + Kafka Streams"}, {"mainstem", "Mainstem"}}, paymentRows},
	"broker":   {[]system{{"kafka", "Apache Kafka"}, {"kafka-synced", "Apache Kafka, synced"}, {"mainstem", "Mainstem"}}, brokerRows},
	"streams":  {[]system{{"kafka", "Kafka Streams"}, {"worker", "Mainstem's worker on Kafka"}, {"mainstem", "Mainstem"}}, streamsRows()},
	"state":    {[]system{{"mainstem", "Mainstem"}}, stateRows()},
	"sql":      {[]system{{"mainstem", "Mainstem"}}, sqlRows()},
}

func (t table) print(dir string) error {
	all := make([]results, len(t.systems))
	fmt.Print("| |")
	for i, s := range t.systems {
		var err error
		if all[i], err = t.read(dir, s.name); err != nil {
			return err
		}
		fmt.Printf(" %s |", s.title)
	}
	columns, last := len(t.systems)+1, len(t.systems)-1
	if last > 0 { // there is something to compare with
		fmt.Print(" ratio |")
		columns++
	}
	fmt.Println("\n|" + strings.Repeat("---|", columns))
	for _, r := range t.rows {
		values, known := make([]float64, len(all)), make([]bool, len(all))
		for i := range all {
			values[i], known[i] = r.of(all[i])
		}
		if !slices.Contains(known, true) {
			continue
		}
		fmt.Printf("| %s |", r.name)
		for i, v := range values {
			fmt.Printf(" %s |", show(v, known[i]))
		}
		if last > 0 {
			fmt.Printf(" %s |", r.ratio(values[0], values[last], known[0] && known[last]))
		}
		fmt.Println()
	}
	return nil
}

// A line is one result of the load tool.
type line map[string]any

func (l line) number(key string) (float64, bool) {
	v, ok := l[key].(float64)
	return v, ok
}

// results are a system's lines by step.
type results map[string][]line

// read reads the steps that the rows are about, as far as there are any.
func (t table) read(dir, system string) (results, error) {
	out := results{}
	for _, r := range t.rows {
		step := r.step
		if out[step] != nil {
			continue
		}
		f, err := os.Open(filepath.Join(dir, system+"-"+step+".jsonl"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		for in.Scan() {
			var l line
			if err := json.Unmarshal(in.Bytes(), &l); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name(), err)
			}
			if l["cmd"] == "verify" && !complete(l) {
				return nil, fmt.Errorf("%s: the output is not what it must be: %s", f.Name(), in.Text())
			}
			out[step] = append(out[step], l)
		}
		if err := in.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A row is one figure: the median of a key over the lines of one command in a step. A key with several names is their sum, as for
// the processes of one system.
type row struct {
	name, step, cmd string
	tag             string // of the lines; empty: any
	keys            []string
	max             bool    // the largest instead of the median
	per             float64 // the unit; 0: 1
	moreIsBetter    bool
}

var paymentRows = []row{
	{name: "payments/s, whole run", step: "throughput", cmd: "measure", keys: []string{"rec_s"}, moreIsBetter: true},
	{name: "payments/s, second half", step: "throughput", cmd: "measure", keys: []string{"rec_s_half2"}, moreIsBetter: true},
	{name: "CPU-s per million payments, whole run", step: "throughput", cmd: "measure", keys: []string{"streams_cpu_s_per_m", "broker_cpu_s_per_m"}},
	{name: "CPU-s per million payments, second half", step: "throughput", cmd: "measure", keys: []string{"streams_cpu_s_per_m_half2", "broker_cpu_s_per_m_half2"}},
	{name: "peak memory in that run, MB", step: "throughput", cmd: "measure", keys: []string{"streams_peak_mb", "broker_peak_mb"}},
	{name: "1,000/s: p50, ms", step: "latency-1000", cmd: "latency", keys: []string{"p50_ms"}},
	{name: "1,000/s: p99, ms", step: "latency-1000", cmd: "latency", keys: []string{"p99_ms"}},
	{name: "1,000/s: CPU-µs per payment", step: "latency-1000", cmd: "latency", keys: []string{"streams_cpu_s_per_m", "broker_cpu_s_per_m"}},
	{name: "5,000/s: p50, ms", step: "latency-5000", cmd: "latency", keys: []string{"p50_ms"}},
	{name: "5,000/s: p99, ms", step: "latency-5000", cmd: "latency", keys: []string{"p99_ms"}},
	{name: "5,000/s: CPU-µs per payment", step: "latency-5000", cmd: "latency", keys: []string{"streams_cpu_s_per_m", "broker_cpu_s_per_m"}},
	{name: "idle memory of the broker, MB", step: "start", cmd: "probe", tag: "idle", keys: []string{"broker_rss_mb"}},
	{name: "exec to first acknowledged record, ms", step: "start", cmd: "probe", tag: "start", keys: []string{"ready_ms"}},
	{name: "the same, slowest start", step: "start", cmd: "probe", tag: "start", keys: []string{"ready_ms"}, max: true},
}

var brokerRows = append([]row{
	{name: "exec to first acknowledged record, ms", step: "start", cmd: "probe", tag: "start", keys: []string{"ready_ms"}},
	{name: "the same, slowest start", step: "start", cmd: "probe", tag: "start", keys: []string{"ready_ms"}, max: true},
	{name: "idle memory, MB", step: "start", cmd: "probe", tag: "idle", keys: []string{"broker_rss_mb"}},
	{name: "transaction over 64 partitions with offsets: p50, ms", step: "transactions", cmd: "transactions", keys: []string{"p50_ms"}},
	{name: "the same: p99, ms", step: "transactions", cmd: "transactions", keys: []string{"p99_ms"}},
	{name: "after kill -9: exec to first acknowledged record, ms", step: "restart", cmd: "probe", tag: "killed", keys: []string{"ready_ms"}},
	{name: "the same, slowest", step: "restart", cmd: "probe", tag: "killed", keys: []string{"ready_ms"}, max: true},
}, append(batchRows(), syncRows()...)...)

func streamsRows() []row {
	var rows []row
	for _, workload := range []string{"filtermap", "count", "window", "join", "payments"} {
		for _, partitions := range []string{"1", "4"} {
			r := row{step: "streams", cmd: "measure", tag: workload + " x " + partitions}
			add := func(name string, more bool, keys ...string) {
				r.name, r.keys, r.moreIsBetter = fmt.Sprintf("%s, %s partitions: %s", workload, partitions, name), keys, more
				rows = append(rows, r)
			}
			add("records/s", true, "rec_s")
			add("records/s, second half", true, "rec_s_half2")
			add("CPU-s per million with the broker", false, "streams_cpu_s_per_m", "broker_cpu_s_per_m")
			add("the same, second half", false, "streams_cpu_s_per_m_half2", "broker_cpu_s_per_m_half2")
			add("CPU-s per million without the broker, second half", false, "streams_cpu_s_per_m_half2")
			add("peak memory, MB", false, "streams_peak_mb", "broker_peak_mb")
			add("exec to first output, s", false, "first_s")
		}
	}
	return rows
}

func stateRows() []row {
	rows := []row{
		{name: "count at 5,000/s: p50, ms", step: "latency", cmd: "latency", keys: []string{"p50_ms"}},
		{name: "count at 5,000/s: p99, ms", step: "latency", cmd: "latency", keys: []string{"p99_ms"}},
		{name: "count at 5,000/s: CPU-µs per record", step: "latency", cmd: "latency", keys: []string{"broker_cpu_s_per_m"}},
	}
	add := func(step, tag, name string, more bool, key string) {
		rows = append(rows, row{name: name, step: step, cmd: "measure", tag: tag, keys: []string{key}, moreIsBetter: more})
	}
	for _, keys := range []string{"1000000", "10000000"} {
		add("restart", keys, keys+" keys, after kill -9: exec to first new count, s", false, "first_s")
		add("restart", keys, keys+" keys, after kill -9: exec to new counts for a tenth of them, s", false, "done_s")
	}
	for _, keys := range []string{"100000", "1000000", "10000000"} {
		add("keys", keys, keys+" keys: records/s", true, "rec_s")
		add("keys", keys, keys+" keys: CPU-s per million, second half", false, "broker_cpu_s_per_m_half2")
		add("keys", keys, keys+" keys: peak memory, MB", false, "broker_peak_mb")
	}
	for _, room := range []string{"resident", "quarter"} {
		add("budget", room, "1,000,000 keys, "+room+": records/s", true, "rec_s")
		add("budget", room, "1,000,000 keys, "+room+": CPU-s per million", false, "broker_cpu_s_per_m")
		add("budget", room, "1,000,000 keys, "+room+": peak memory, MB", false, "broker_peak_mb")
	}
	return rows
}

func batchRows() []row {
	var rows []row
	for _, size := range []string{"100", "1024"} {
		for _, partitions := range []string{"1", "4"} {
			tag, name := size+" x "+partitions, fmt.Sprintf("%s B, %s partitions: ", size, partitions)
			for _, cmd := range []string{"produce", "consume"} {
				rows = append(rows,
					row{name: name + cmd + ", thousand records/s", step: "batch", cmd: cmd, tag: tag, keys: []string{"rec_s"}, per: 1000, moreIsBetter: true},
					row{name: name + cmd + ", MB/s", step: "batch", cmd: cmd, tag: tag, keys: []string{"mb_s"}, moreIsBetter: true},
					row{name: name + cmd + ", CPU-s per million", step: "batch", cmd: cmd, tag: tag, keys: []string{"broker_cpu_s_per_m"}})
			}
		}
	}
	return append(rows, row{name: "peak memory in those runs, MB", step: "batch", cmd: "consume", keys: []string{"broker_peak_mb"}, max: true})
}

func syncRows() []row {
	var rows []row
	for _, tag := range []string{"1 x 1", "16 x 1", "64 x 1", "16 x 4", "64 x 4"} {
		name := tag + " (clients x partitions), one record at a time: "
		rows = append(rows,
			row{name: name + "acks/s", step: "sync", cmd: "sync", tag: tag, keys: []string{"acks_s"}, moreIsBetter: true},
			row{name: name + "p50, ms", step: "sync", cmd: "sync", tag: tag, keys: []string{"p50_ms"}},
			row{name: name + "p99, ms", step: "sync", cmd: "sync", tag: tag, keys: []string{"p99_ms"}},
			row{name: name + "CPU-µs per ack", step: "sync", cmd: "sync", tag: tag, keys: []string{"broker_cpu_s_per_m"}})
	}
	return rows
}

func (r row) of(all results) (float64, bool) {
	var values []float64
	for _, l := range all[r.step] {
		if l["cmd"] != r.cmd || r.tag != "" && l["tag"] != r.tag {
			continue
		}
		sum, found := 0.0, false
		for _, key := range r.keys {
			if v, ok := l.number(key); ok {
				sum, found = sum+v, true
			}
		}
		if found {
			values = append(values, sum/max(r.per, 1))
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	if r.max {
		return values[len(values)-1], true
	}
	return values[len(values)/2], true
}

// ratio says how many times better Mainstem is.
func (r row) ratio(kafka, mainstem float64, both bool) string {
	if !both || kafka == 0 || mainstem == 0 {
		return ""
	}
	x := kafka / mainstem
	if r.moreIsBetter {
		x = mainstem / kafka
	}
	return strconv.FormatFloat(x, 'f', 1, 64) + " ×"
}

func show(v float64, ok bool) string {
	switch {
	case !ok:
		return "–"
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// complete tells whether a reader found at least what must be there; a payment that comes too late to change its list gives no update.
func complete(l line) bool {
	records, _ := l["records"].(float64)
	want, _ := l["want"].(float64)
	return want > 0 && records >= want
}
