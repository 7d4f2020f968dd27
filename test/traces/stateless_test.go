package traces

import (
	"strconv"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
)

func (g *graph) stream(n *node) {
	topics := n.list("topics")
	if topic := n.text("topic"); topic != "" {
		topics = []string{topic}
	}
	g.plain.streams[n.id] = stream.FromTopics(g.b, topics, serdeOf(n.kt), serdeOf(n.vt), extractor(n)...)
}

// extractor returns the options of a source that finds its records' times in their values.
func extractor(n *node) []stream.Option {
	e := n.object("extractor")
	if e == nil {
		return nil
	}
	i := int(e.number("field"))
	opts := []stream.Option{stream.Timestamps(func(r stream.Incoming[val, val]) (record.Timestamp, error) {
		at, err := strconv.ParseInt(field(r.Value, i).s, 10, 64)
		if err != nil {
			return record.NoTimestamp, nil
		}
		return record.Timestamp(at), nil
	})}
	switch invalid := e.text("invalid"); invalid {
	case "skip":
		return append(opts, stream.SkipInvalidTime())
	case "partitionTime":
		return append(opts, stream.UsePartitionTime())
	case "fail":
		return opts
	default:
		panic(notBuilt("extractor that does this with invalid times: " + invalid))
	}
}

func (s *side[K]) filter(n *node) {
	s.streams[n.id] = s.stream(n.input()).FilterWithKey(s.passes(n.function("fn"), n.op == "filterNot"))
}

func (s *side[K]) mapValues(n *node) {
	s.streams[n.id] = stream.MapValuesWithKey(s.stream(n.input()), s.values(n.function("fn")))
}

func (s *side[K]) flatMapValues(n *node) {
	of := flatFunction(n.function("fn"))
	s.streams[n.id] = stream.FlatMapValuesWithKey(s.stream(n.input()), func(k K, v val) []val {
		var values []val
		for _, row := range of(s.see(k), v) {
			values = append(values, row.value)
		}
		return values
	})
}

func mapRows[K, L any](s *side[K], to *side[L], n *node) {
	k, v := keys(s, to, n.function("key")), s.values(n.function("fn"))
	to.streams[n.id] = stream.Map(s.stream(n.input()), func(old K, value val) (L, val) { return k(old, value), v(old, value) })
}

func flatMap[K, L any](s *side[K], to *side[L], n *node) {
	of := flatFunction(n.function("fn"))
	to.streams[n.id] = stream.FlatMap(s.stream(n.input()), func(k K, v val, emit func(L, val)) {
		for _, row := range of(s.see(k), v) {
			emit(to.back(row.key), row.value)
		}
	})
}

func selectKey[K, L any](s *side[K], to *side[L], n *node) {
	to.streams[n.id] = stream.SelectKeyWithKey(s.stream(n.input()), keys(s, to, n.function("key")))
}

func (s *side[K]) merge(n *node) {
	var streams []stream.Stream[K, val]
	for _, id := range n.list("ins") {
		streams = append(streams, s.stream(id))
	}
	s.streams[n.id] = streams[0].Merge(streams[1:]...)
}

func (s *side[K]) split(n *node) {
	var ids []string
	var pass []func(K, val) bool
	branches, _ := n.get("branches").([]any)
	for _, b := range branches {
		branch := newNode(b.(map[string]any))
		ids, pass = append(ids, branch.id), append(pass, s.passes(branch.function("fn"), false))
	}
	out := s.stream(n.input()).SplitWithKey(pass...)
	if rest := n.text("default"); rest != "" {
		ids = append(ids, rest)
		s.g.b.SkipNames(1)
	}
	for i, id := range ids {
		s.streams[id], s.g.kinds[id] = out[i], kinds{n.kt, n.vt}
	}
}

func (s *side[K]) repartition(n *node) {
	s.streams[n.id] = s.stream(n.input()).Repartition(n.text("name"), s.serde(n.kt), serdeOf(n.vt), s.dropping(n)...)
}

func (s *side[K]) to(n *node) {
	s.stream(n.input()).To(n.text("topic"), s.serde(n.kt), serdeOf(n.vt), s.dropping(n)...)
}

// dropping is a partitioner that drops what a predicate matches and leaves the rest to the default one. Kafka Streams' test driver has one
// partition, so there is no other to send anything to.
func (s *side[K]) dropping(n *node) []stream.Option {
	if !n.has("dropIf") {
		return nil
	}
	match := predicate(n.function("dropIf"))
	return []stream.Option{stream.PartitionBy(func(r stream.Outgoing[K, val], _ int32) stream.Placement {
		if match(s.see(r.Key), r.Value) {
			return stream.InNone()
		}
		return stream.Placement{}
	})}
}
