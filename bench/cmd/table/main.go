// Command table turns what bench/payments.sh has measured into a Markdown table.
//
//	table DIR
//
// DIR holds SYSTEM-STEP.jsonl, lines of the load tool, for the systems "kafka" and "mainstem".
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
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: table DIR")
		os.Exit(2)
	}
	kafka, errK := read(os.Args[1], "kafka")
	mainstem, errM := read(os.Args[1], "mainstem")
	if err := errors.Join(errK, errM); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
	fmt.Println("| | Apache Kafka + Kafka Streams | Mainstem | ratio |\n|---|---|---|---|")
	for _, r := range rows {
		k, okK := r.of(kafka)
		m, okM := r.of(mainstem)
		if !okK && !okM {
			continue
		}
		fmt.Printf("| %s | %s | %s | %s |\n", r.name, show(k, okK), show(m, okM), r.ratio(k, m, okK && okM))
	}
}

// A line is one result of the load tool.
type line map[string]any

func (l line) number(key string) (float64, bool) {
	v, ok := l[key].(float64)
	return v, ok
}

// results are a system's lines by step.
type results map[string][]line

var steps = []string{"start", "throughput", "latency-1000", "latency-5000"}

func read(dir, system string) (results, error) {
	out := results{}
	for _, step := range steps {
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
	max             bool // the largest instead of the median
	moreIsBetter    bool
}

var rows = []row{
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
			values = append(values, sum)
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
