package group

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
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
// A word is a flag or key=value; the group is "orders" unless g= says otherwise. Behind every command the
// durable state is compared with that of a machine that saw only the records.
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
	options Options
	topics  *topics
	m       *Groups
	now     time.Duration
	out     strings.Builder
	history []func(*Groups) error // what a restarted machine repeats
}

func play(t *testing.T, script string) string {
	p := &player{t: t, topics: newTopics()}
	p.options.Topics = p.topics
	p.m = New(p.options)
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "    ") {
			continue // an answer of an earlier run
		}
		fmt.Fprintln(&p.out, line)
		if line != "" && !strings.HasPrefix(line, "#") {
			p.command(line)
			// A crash may come behind every command.
			if !bytes.Equal(p.replayed().AppendSnapshot(nil), p.m.AppendSnapshot(nil)) {
				t.Errorf("%s: the records do not rebuild the durable state", line)
			}
		}
	}
	return p.out.String()
}

func (p *player) replayed() *Groups {
	m := New(p.options)
	for _, f := range p.history {
		if err := f(m); err != nil {
			p.t.Fatalf("replay: %v", err)
		}
	}
	return m
}

func (p *player) say(format string, args ...any) { fmt.Fprintf(&p.out, "    "+format+"\n", args...) }

// words is a parsed command.
type words struct {
	t    *testing.T
	line string
	list []string
	kv   map[string]string
}

func (w words) or(key, otherwise string) string {
	if v, ok := w.kv[key]; ok {
		return v
	}
	return otherwise
}

func (w words) num(key string, otherwise int64) int64 {
	v, ok := w.kv[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		w.t.Fatalf("%s: %v", w.line, err)
	}
	return n
}

func (w words) dur(key, otherwise string) time.Duration {
	d, err := time.ParseDuration(w.or(key, otherwise))
	if err != nil {
		w.t.Fatalf("%s: %v", w.line, err)
	}
	return d
}

func (w words) has(word string) bool { return slices.Contains(w.list, word) }

func (w words) token() Token { return Token(w.num("t", 0)) }

func (w words) group() string { return w.or("g", "orders") }

func (w words) member() Member {
	return Member{Generation: int32(w.num("gen", -1)), ID: w.kv["m"], InstanceID: w.kv["i"], Modern: w.kv["v"] == "9"}
}

// partition parses topic/partition.
func (w words) partition(s string) record.TopicPartition {
	topic, part, ok := strings.Cut(s, "/")
	n, err := strconv.Atoi(part)
	if !ok || err != nil {
		w.t.Fatalf("%s: %q is no partition", w.line, s)
	}
	return record.TopicPartition{Topic: topic, Partition: int32(n)}
}

// offsets parses words like payments/0@5 or payments/0@5:metadata.
func (w words) offsets() []OffsetCommit {
	var os []OffsetCommit
	for _, s := range w.list {
		tp, rest, ok := strings.Cut(s, "@")
		if !ok {
			continue
		}
		at, metadata, _ := strings.Cut(rest, ":")
		n, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			w.t.Fatalf("%s: %v", w.line, err)
		}
		if count, ok := strings.CutPrefix(metadata, "x*"); ok {
			n, _ := strconv.Atoi(count)
			metadata = strings.Repeat("x", n)
		}
		os = append(os, OffsetCommit{w.partition(tp), record.Offset(n), 0, metadata})
	}
	return os
}

// protocols parses range:subscription,rr:subscription; "topics=a+b" stands for a consumer protocol subscription.
func (w words) protocols() []Protocol {
	var ps []Protocol
	for s := range strings.SplitSeq(w.or("p", "range:s"), ",") {
		if s == "" {
			continue
		}
		name, metadata, _ := strings.Cut(s, ":")
		b := []byte(metadata)
		if topics, ok := w.kv["topics"]; ok {
			b = owning(w.owned(), strings.Split(topics, "+")...)
		}
		ps = append(ps, Protocol{Name: name, Metadata: b})
	}
	return ps
}

func (p *player) parse(line string) (string, words) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		p.t.Fatalf("%q is no command", line)
	}
	now, err := time.ParseDuration(fields[0])
	if err != nil || now < p.now {
		p.t.Fatalf("%q: time %v after %v", line, err, p.now)
	}
	p.now = now
	w := words{t: p.t, line: line, kv: map[string]string{}}
	for _, f := range fields[2:] {
		if k, v, ok := strings.Cut(f, "="); ok {
			w.kv[k] = v
		} else {
			w.list = append(w.list, f)
		}
	}
	return fields[1], w
}

func (p *player) command(line string) {
	verb, w := p.parse(line)
	switch verb {
	case "options":
		p.options = Options{
			InitialDelay: w.dur("delay", "0s"), MaxSize: int(w.num("size", 0)), MaxMetadata: int(w.num("metadata", 0)), Retention: w.dur("retention", "0s"), Topics: p.topics,
			Consumer: ConsumerOptions{MaxSize: int(w.num("consumers", 0)), Migration: Migration(w.kv["migration"])},
		}
		if w.has("keep") {
			return // for the machine after the next restart
		}
		p.m, p.history = New(p.options), nil
	case "join":
		p.effects(p.m.Join(p.now, w.token(), Join{
			Group: w.group(), MemberID: w.kv["m"], InstanceID: w.kv["i"], NewMemberID: w.kv["new"],
			ClientID: w.kv["client"], ProtocolType: w.or("type", "consumer"), Protocols: w.protocols(),
			SessionTimeout: w.dur("session", "10s"), RebalanceTimeout: w.dur("rebalance", "60s"),
			RequireMemberID: w.has("require"), CanSkip: w.has("skip"),
		}))
	case "sync":
		assignments := map[string][]byte{}
		for a := range strings.SplitSeq(w.kv["assign"], ",") {
			id, bytes, _ := strings.Cut(a, ":")
			assignments[id] = []byte(bytes)
			if strings.Contains(bytes, "/") {
				assignments[id] = assignment(w.partitions(strings.ReplaceAll(bytes, "+", ",")))
			}
		}
		m := w.member()
		p.effects(p.m.Sync(p.now, w.token(), Sync{
			Group: w.group(), Generation: m.Generation, MemberID: m.ID, InstanceID: m.InstanceID,
			ProtocolType: w.kv["type"], Protocol: w.kv["protocol"], Assignments: assignments,
		}))
	case "heartbeat":
		p.say("%s", errText(p.m.Heartbeat(p.now, w.group(), w.member())))
	case "leave":
		p.leave(w)
	case "tick":
		p.effects(p.m.Tick(p.now))
	case "expire":
		p.effects(p.m.Expire(p.now, record.Timestamp(p.now.Milliseconds())))
	case "next":
		at, ok := p.m.Next()
		p.say("%v %v", at, ok)
	case "given": // an empty group with a past too long to play
		g := newGroup(w.group())
		g.generation = int32(w.num("gen", 0))
		rec := appendGeneration(nil, kindGeneration, g)
		if err := p.m.Apply(rec); err != nil {
			p.t.Fatal(err)
		}
		p.effects(Effects{Records: [][]byte{rec}})
	case "restart":
		p.m = p.replayed()
		p.m.Restored(p.now)
	default:
		if !p.consumerCommand(verb, w) {
			p.offsetCommand(verb, w)
		}
	}
}

func (p *player) leave(w words) {
	var ms []Member
	for _, s := range w.list {
		id, instance, _ := strings.Cut(s, "/")
		ms = append(ms, Member{ID: id, InstanceID: instance})
	}
	errs, err, fx := p.m.Leave(p.now, w.group(), ms)
	p.errs(w.list, errs, err)
	p.effects(fx)
}

func (p *player) offsetCommand(verb string, w words) {
	at := record.Timestamp(p.now.Milliseconds())
	switch verb {
	case "commit":
		os := w.offsets()
		errs, err, fx := p.m.Commit(p.now, at, w.group(), w.member(), os)
		p.errs(w.list, errs, err)
		p.effects(fx)
	case "txncommit":
		os := w.offsets()
		errs, err, fx := p.m.CommitTxn(p.now, at, w.group(), w.num("pid", 1), w.member(), os)
		p.errs(w.list, errs, err)
		p.effects(fx)
	case "endtxn":
		pid, commit := w.num("pid", 1), w.has("commit")
		p.repeat(func(m *Groups) error { m.EndTxn(pid, commit); return nil })
	case "forget":
		topic := w.list[0]
		p.repeat(func(m *Groups) error { m.ForgetTopic(topic); return nil })
	case "offset":
		p.say("%s", committedText(p.m.Offset(w.group(), w.partition(w.list[0]))))
	case "offsets":
		all := p.m.Offsets(w.group())
		for _, tp := range slices.SortedFunc(maps.Keys(all), comparePartitions) {
			p.say("%v %s", tp, committedText(all[tp]))
		}
	case "deleteoffsets":
		var tps []record.TopicPartition
		for _, s := range w.list {
			tps = append(tps, w.partition(s))
		}
		errs, err, fx := p.m.DeleteOffsets(w.group(), tps)
		p.errs(w.list, errs, err)
		p.effects(fx)
	case "delete":
		err, fx := p.m.Delete(w.group())
		p.say("%s", errText(err))
		p.effects(fx)
	case "list":
		for _, d := range p.m.List() {
			if d.Type == ConsumerType {
				d.State += " consumer"
			}
			p.say("%s %s %q", d.Group, d.State, d.ProtocolType)
		}
	case "describe":
		d := p.m.Describe(w.group())
		p.say("%s %s %q %q", d.Group, d.State, d.ProtocolType, d.Protocol)
		for _, m := range d.Members {
			p.say("  %s instance=%q client=%q metadata=%q assignment=%q", m.ID, m.InstanceID, m.ClientID, m.Metadata, m.Assignment)
		}
	default:
		p.t.Fatalf("%s: unknown verb", w.line)
	}
}

// repeat does what the caller repeats on replay without a record.
func (p *player) repeat(f func(*Groups) error) {
	_ = f(p.m)
	p.history = append(p.history, f)
}

func (p *player) errs(of []string, errs []*kerr.Error, whole *kerr.Error) {
	if whole != nil {
		p.say("%s", errText(whole))
		return
	}
	for i, err := range errs {
		p.say("%.40s: %s", of[i], errText(err))
	}
}

func (p *player) effects(fx Effects) {
	for _, rec := range fx.Records {
		p.say("record %s", recordText(p.t, rec))
		p.history = append(p.history, func(m *Groups) error { return m.Apply(rec) })
	}
	for _, r := range fx.Replies {
		p.say("reply %d: %s", r.To, replyText(r.Value))
	}
}

func errText(err *kerr.Error) string {
	if err == nil {
		return "ok"
	}
	return err.Message
}

func committedText(c Committed) string {
	s := fmt.Sprintf("%d", c.Offset)
	if c.Metadata != "" {
		s += fmt.Sprintf(" %q", c.Metadata)
	}
	if c.Pending {
		s += " pending"
	}
	return s
}

func replyText(v any) string {
	switch r := v.(type) {
	case JoinReply:
		if r.Err != nil {
			return fmt.Sprintf("%s generation=%d member=%q", r.Err.Message, r.Generation, r.MemberID)
		}
		s := fmt.Sprintf("joined generation=%d %s/%s leader=%s member=%s", r.Generation, r.ProtocolType, r.Protocol, r.Leader, r.MemberID)
		if r.SkipAssignment {
			s += " skip"
		}
		for _, m := range r.Members {
			s += fmt.Sprintf(" [%s", m.ID)
			if m.InstanceID != "" {
				s += "/" + m.InstanceID
			}
			s += fmt.Sprintf(" %q]", m.Metadata)
		}
		return s
	case SyncReply:
		if r.Err != nil {
			return r.Err.Message
		}
		return fmt.Sprintf("synced %s/%s %q", r.ProtocolType, r.Protocol, r.Assignment)
	}
	return fmt.Sprintf("unknown reply %T", v)
}

func recordText(t *testing.T, rec []byte) string {
	e, err := decode(rec)
	if err != nil {
		t.Fatalf("own record: %v", err)
	}
	var s strings.Builder
	offsets := func() {
		for _, o := range e.offsets {
			fmt.Fprintf(&s, " %v@%d", o.TopicPartition, o.offset)
		}
	}
	switch e.kind {
	case kindGeneration, kindInterrupted:
		g := e.generation
		if e.kind == kindInterrupted {
			s.WriteString("interrupted ")
		}
		fmt.Fprintf(&s, "generation %s %d %s %q %q leader=%q", e.group, g.generation, g.state, g.protocolType, g.protocol, g.leader)
		for _, m := range g.order {
			fmt.Fprintf(&s, " [%s %q]", m.id, m.assignment)
		}
	case kindOffsets:
		fmt.Fprintf(&s, "offsets %s", e.group)
		offsets()
	case kindPending:
		fmt.Fprintf(&s, "pending %s pid=%d", e.group, e.pid)
		offsets()
	case kindDeletedOffsets:
		fmt.Fprintf(&s, "deleted offsets %s %v", e.group, e.partitions)
	case kindDeletedGroup:
		fmt.Fprintf(&s, "deleted group %s", e.group)
	case kindConsumer:
		fmt.Fprintf(&s, "consumer group %s", e.group)
		if e.consumer.Begun() {
			s.WriteString(" begins")
		}
	case kindSettings:
		fmt.Fprintf(&s, "settings %s %v", e.group, e.settings)
	}
	return s.String()
}

// subscription is a consumer protocol subscription, version 1, without owned partitions.
func subscription(topics ...string) []byte { return owning(nil, topics...) }

// owning is a subscription with what the member holds.
func owning(owned map[string][]int32, topics ...string) []byte {
	b := []byte{0, 1, 0, 0, 0, byte(len(topics))}
	for _, topic := range topics {
		b = append(b, 0, byte(len(topic)))
		b = append(b, topic...)
	}
	return appendOwned(append(b, 0, 0, 0, 0), owned)
}

// assignment is a consumer protocol assignment, version 1.
func assignment(assigned map[string][]int32) []byte {
	return append(appendOwned([]byte{0, 1}, assigned), 0xff, 0xff, 0xff, 0xff)
}

func appendOwned(b []byte, owned map[string][]int32) []byte {
	b = append(b, 0, 0, 0, byte(len(owned)))
	for _, topic := range slices.Sorted(maps.Keys(owned)) {
		b = append(append(b, 0, byte(len(topic))), topic...)
		b = append(b, 0, 0, 0, byte(len(owned[topic])))
		for _, p := range owned[topic] {
			b = append(b, 0, 0, 0, byte(p))
		}
	}
	return b
}
