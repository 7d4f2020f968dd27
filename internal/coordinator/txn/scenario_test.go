package txn

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

var update = flag.Bool("update", false, "write the scenarios' golden text")

// TestScenarios plays testdata/*.txt: each command line "<time> <verb> <words>" is followed by what the machine answered, indented.
// A word is a flag or key=value; the transactional id is "tx" unless id= says otherwise, a producer is written id:epoch. Every
// scenario ends with a comparison of its state with that of a machine that saw only the records.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s differs (go test -update rewrites it):\n%s", file, diff(string(want), got))
			}
		})
	}
}

// diff shows the first lines that differ.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines wanted, %d played", len(w), len(g))
}

// A player runs the commands of one scenario.
type player struct {
	t       *testing.T
	m       *Txns
	now     time.Duration
	out     strings.Builder
	records [][]byte // what a restarted machine repeats

	kv   map[string]string // words of the current command
	list []string
}

func play(t *testing.T, script string) string {
	p := &player{t: t, m: New(Options{})}
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "    ") {
			continue // an answer of an earlier run
		}
		fmt.Fprintln(&p.out, line)
		if line != "" && !strings.HasPrefix(line, "#") {
			p.command(line)
		}
	}
	if !bytes.Equal(p.replayed().AppendSnapshot(nil), p.m.AppendSnapshot(nil)) {
		t.Error("the records do not rebuild the state")
	}
	return p.out.String()
}

func (p *player) replayed() *Txns {
	m := New(Options{})
	for _, rec := range p.records {
		if err := m.Apply(rec); err != nil {
			p.t.Fatalf("replay: %v", err)
		}
	}
	return m
}

func (p *player) say(format string, args ...any) { fmt.Fprintf(&p.out, "    "+format+"\n", args...) }

func (p *player) or(key, otherwise string) string {
	if v, ok := p.kv[key]; ok {
		return v
	}
	return otherwise
}

func (p *player) id() string { return p.or("id", "tx") }

func (p *player) producer(key string) Producer {
	v, ok := p.kv[key]
	if !ok {
		return None
	}
	id, epoch, _ := strings.Cut(v, ":")
	i, err1 := strconv.ParseInt(id, 10, 64)
	e, err2 := strconv.ParseInt(epoch, 10, 16)
	if err1 != nil || err2 != nil {
		p.t.Fatalf("%q is no producer", v)
	}
	return Producer{i, int16(e)}
}

func (p *player) partitions() []record.TopicPartition {
	var tps []record.TopicPartition
	for _, s := range p.list {
		topic, part, _ := strings.Cut(s, "/")
		n, err := strconv.Atoi(part)
		if err != nil {
			p.t.Fatalf("%q is no partition", s)
		}
		tps = append(tps, record.TopicPartition{Topic: topic, Partition: int32(n)})
	}
	return tps
}

func (p *player) parse(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		p.t.Fatalf("%q is no command", line)
	}
	now, err := time.ParseDuration(fields[0])
	if err != nil || now < p.now {
		p.t.Fatalf("%q: time %v after %v", line, err, p.now)
	}
	p.now, p.kv, p.list = now, map[string]string{}, nil
	for _, f := range fields[2:] {
		if k, v, ok := strings.Cut(f, "="); ok {
			p.kv[k] = v
		} else {
			p.list = append(p.list, f)
		}
	}
	return fields[1]
}

func (p *player) command(line string) {
	at := record.Timestamp(1_000_000 + p.now.Milliseconds())
	switch verb := p.parse(line); verb {
	case "init":
		timeout, err := time.ParseDuration(p.or("timeout", "60s"))
		if err != nil {
			p.t.Fatal(err)
		}
		got, ends, records, kerr := p.m.Init(p.now, Init{ID: p.id(), Timeout: timeout, Current: p.producer("current")})
		if kerr != nil {
			p.say("%s", kerr.Message)
			return
		}
		p.ends(ends)
		p.take(records)
		p.say("producer %d:%d", got.ID, got.Epoch)
	case "given": // an id with a past too long to play
		o := newOwner(p.id())
		o.producer, o.timeout = p.producer("p"), time.Minute
		rec := appendProducer(nil, o)
		if err := p.m.Apply(rec); err != nil {
			p.t.Fatal(err)
		}
		p.m.Restored(p.now)
		p.take([][]byte{rec})
	case "check":
		p.say("%s", errText(p.m.Check(p.id(), p.producer("p"))))
	case "add":
		records, err := p.m.AddPartitions(p.now, at, p.id(), p.producer("p"), p.partitions())
		p.say("%s", errText(err))
		p.take(records)
	case "group":
		records, err := p.m.AddGroup(p.now, at, p.id(), p.producer("p"), p.list[0])
		p.say("%s", errText(err))
		p.take(records)
	case "open":
		p.say("%v", p.m.Open(p.id(), p.producer("p"), p.partitions()[0]))
	case "end":
		p.end()
	case "tick":
		p.ends(p.m.Tick(p.now))
	case "next":
		at, ok := p.m.Next()
		p.say("%v %v", at, ok)
	case "list":
		for _, d := range p.m.List() {
			p.say("%s", describeText(d))
		}
	case "describe":
		d, ok := p.m.Describe(p.id())
		if !ok {
			p.say("unknown")
			return
		}
		p.say("%s", describeText(d))
	case "restart":
		p.m = p.replayed()
		p.m.Restored(p.now)
	default:
		p.t.Fatalf("unknown verb %q", verb)
	}
}

func (p *player) end() {
	commit := slices.Contains(p.list, "commit")
	if !commit && !slices.Contains(p.list, "abort") {
		p.t.Fatal("an end is a commit or an abort")
	}
	next, end, done, err := p.m.End(p.now, p.id(), p.producer("p"), commit, slices.Contains(p.list, "bump"))
	switch {
	case err != nil:
		p.say("%s", err.Message)
	case done:
		p.say("done already, next producer %d:%d", next.ID, next.Epoch)
	default:
		p.ends([]End{end})
		p.say("next producer %d:%d", next.ID, next.Epoch)
	}
}

func (p *player) ends(ends []End) {
	for _, e := range ends {
		verb := "abort"
		if e.Commit {
			verb = "commit"
		}
		p.say("%s %s by %d:%d partitions=%v groups=%v", verb, e.ID, e.Producer.ID, e.Producer.Epoch, e.Partitions, e.Groups)
		p.take([][]byte{e.Record})
	}
}

func (p *player) take(records [][]byte) {
	for _, rec := range records {
		p.say("record %s", recordText(p.t, rec))
		p.records = append(p.records, rec)
	}
}

func errText(err *kerr.Error) string {
	if err == nil {
		return "ok"
	}
	return err.Message
}

func describeText(d Description) string {
	return fmt.Sprintf("%s %s %d:%d timeout=%v started=%d partitions=%v", d.ID, d.State, d.Producer.ID, d.Producer.Epoch, d.Timeout, d.Started, d.Partitions)
}

func recordText(t *testing.T, rec []byte) string {
	e, err := decode(rec)
	if err != nil {
		t.Fatalf("own record: %v", err)
	}
	switch e.kind {
	case kindNextID:
		return fmt.Sprintf("next id %d", e.nextID)
	case kindProducer:
		o := e.producer
		s := fmt.Sprintf("producer %s %s %d:%d timeout=%v", e.id, stateNames[o.state], o.producer.ID, o.producer.Epoch, o.timeout)
		if o.initFrom != None {
			s += fmt.Sprintf(" from=%d:%d", o.initFrom.ID, o.initFrom.Epoch)
		}
		if o.ended != None {
			s += fmt.Sprintf(" ended=%d:%d", o.ended.ID, o.ended.Epoch)
		}
		return s
	case kindAdded:
		return fmt.Sprintf("added %s started=%d partitions=%v groups=%v", e.id, e.started, e.partitions, e.groups)
	}
	return fmt.Sprintf("forgotten %s", e.id)
}
