package group

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
)

// topics is a node's topics as a test makes them.
type topics struct {
	version uint64
	made    byte
	all     map[string]assign.Topic
	ids     map[string]assign.TopicID // those of deleted topics too
	hidden  map[string]bool           // "principal topic", for who may not see it
	guarded bool
}

func newTopics() *topics {
	return &topics{all: map[string]assign.Topic{}, ids: map[string]assign.TopicID{}, hidden: map[string]bool{}}
}

func (s *topics) Guarded() bool { return s.guarded }

func (s *topics) Visible(principal, _, name string) bool { return !s.hidden[principal+" "+name] }

func (s *topics) Version() uint64 { return s.version }

func (s *topics) Names() iter.Seq[string] { return maps.Keys(s.all) }

func (s *topics) Topic(name string) (assign.Topic, bool) {
	t, ok := s.all[name]
	return t, ok
}

func (s *topics) TopicName(id assign.TopicID) (string, bool) {
	for name, t := range s.all {
		if t.ID == id {
			return name, true
		}
	}
	return "", false
}

// put makes or grows a topic; none are left of one with 0 partitions.
func (s *topics) put(name string, partitions int32) {
	s.version++
	t, ok := s.all[name]
	if partitions == 0 {
		delete(s.all, name)
		return
	}
	if !ok {
		s.made++
		t = assign.Topic{Name: name, ID: assign.TopicID{s.made, 7}}
	}
	t.Partitions = partitions
	s.all[name], s.ids[name] = t, t.ID
}

// partitions parses topic/partition,….
func (w words) partitions(s string) map[string][]int32 {
	out := map[string][]int32{}
	for tp := range strings.SplitSeq(s, ",") {
		if tp != "" && tp != "none" {
			p := w.partition(tp)
			out[p.Topic] = append(out[p.Topic], p.Partition)
		}
	}
	return out
}

func (w words) owned() map[string][]int32 { return w.partitions(w.kv["own"]) }

// settings are all words but the group's name.
func (w words) settings() map[string]string {
	out := maps.Clone(w.kv)
	delete(out, "g")
	return out
}

// text is a nullable word.
func (w words) text(key string) *string {
	if v, ok := w.kv[key]; ok {
		return &v
	}
	return nil
}

// consume is a heartbeat: a joining member (e=0) names what it must, any other only what the line says.
func (p *player) consume(w words) consumer.Heartbeat {
	r := consumer.Heartbeat{
		Group: w.group(), MemberID: w.kv["m"], Epoch: int32(w.num("e", 0)), InstanceID: w.text("i"), Rack: w.text("rack"),
		ClientID: w.kv["client"], Principal: w.kv["as"], RebalanceTimeout: w.dur("rebalance", "-1ms"), Regex: w.text("regex"), Assignor: w.text("assignor"),
	}
	if names, ok := w.kv["topics"]; ok {
		r.Topics = []string{}
		if names != "" {
			r.Topics = strings.Split(names, "+")
		}
	}
	own, known := w.kv["own"]
	if r.Epoch == consumer.Joining && !w.has("bare") {
		if r.RebalanceTimeout < 0 {
			r.RebalanceTimeout = w.dur("rebalance", "60s")
		}
		if r.Topics == nil && r.Regex == nil {
			r.Topics = []string{"t"}
		}
		known = true
	}
	if known {
		r.Owned = assign.Partitions{}
		for name, ps := range w.partitions(own) {
			id, ok := p.topics.ids[name]
			if !ok {
				w.t.Fatalf("%s: no topic %s", w.line, name)
			}
			r.Owned[id] = ps
		}
		r.Owned.Tidy()
	}
	return r
}

func (p *player) consumerCommand(verb string, w words) bool {
	switch verb {
	case "topics":
		for _, name := range slices.Sorted(maps.Keys(w.kv)) {
			p.topics.put(name, int32(w.num(name, 0)))
		}
	case "hide":
		p.topics.guarded = true
		p.topics.version++
		for who, names := range w.kv {
			for name := range strings.SplitSeq(names, "+") {
				p.topics.hidden[who+" "+name] = true
			}
		}
	case "show":
		p.topics.version++
		for who, names := range w.kv {
			for name := range strings.SplitSeq(names, "+") {
				delete(p.topics.hidden, who+" "+name)
			}
		}
	case "consume":
		r, fx := p.m.ConsumerHeartbeat(p.now, p.consume(w), w.kv["new"])
		if r.Err != nil {
			p.say("%s: %s", r.Err.Message, r.Detail)
			return true
		}
		s := ""
		if r.Assignment != nil {
			s = " holds" + p.partitionText(r.Assignment)
		}
		if r.Heartbeat > 0 && r.Heartbeat != p.m.options.Consumer.Heartbeat {
			s += " every " + r.Heartbeat.String()
		}
		p.say("%s epoch=%d%s", r.MemberID, r.Epoch, s)
		p.effects(fx)
	case "set": // all settings of a group
		fx, err := p.m.Configure(w.group(), w.settings())
		if err != nil {
			p.say("%v", err)
		}
		p.effects(fx)
	case "settings":
		p.say("%v of %v: %v", w.group(), p.m.Configured(), p.m.Settings(w.group()))
	case "consumers":
		d, ok := p.m.DescribeConsumer(w.group())
		if !ok {
			p.say("no consumer group")
			return true
		}
		p.say("%s epoch=%d target=%d %s", d.State, d.Epoch, d.Target, d.Assignor)
		for _, m := range d.Members {
			state := [...]string{"stable", "unrevoked", "unreleased"}[m.State]
			s := m.ID
			if m.InstanceID != "" {
				s += "/" + m.InstanceID
			}
			if m.Classic != nil {
				s += " classic"
			}
			p.say("  %s epoch=%d %s holds%s target%s", s, m.Epoch, state, namedText(m.Assigned), namedText(m.Target))
		}
	case "fetch":
		p.say("%s", errText(p.m.CheckFetch(w.group(), w.member())))
	default:
		return false
	}
	return true
}

func (p *player) partitionText(ps assign.Partitions) string {
	named := map[string][]int32{}
	for id, of := range ps {
		name, ok := p.topics.TopicName(id)
		if !ok {
			name = "gone"
		}
		named[name] = of
	}
	s := ""
	for _, name := range slices.Sorted(maps.Keys(named)) {
		s += " " + name + numbers(named[name])
	}
	return s
}

func namedText(ps []consumer.TopicPartitions) string {
	s := ""
	for _, t := range ps {
		s += " " + t.Topic + numbers(t.Partitions)
	}
	return s
}

func numbers(ps []int32) string {
	s := make([]string, len(ps))
	for i, p := range ps {
		s[i] = strconv.Itoa(int(p))
	}
	return "[" + strings.Join(s, " ") + "]"
}
