package traces

import (
	"fmt"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A graph is a case's topology while it is built.
type graph struct {
	c        *traceCase
	b        *stream.Builder
	plain    *side[val]
	windowed *side[windowed]
	globals  map[string]stream.GlobalTable[val, val]
	kinds    map[string]kinds // of the steps so far
}

// kinds are the types of a step's result, by the names that cases use.
type kinds struct{ key, value string }

// A side holds the steps so far whose keys are of type K.
type side[K any] struct {
	g       *graph
	see     func(K) key // as functions see it
	back    func(key) K
	serde   func(kind string) serde.Serde[K]
	streams map[string]stream.Stream[K, val]
	tables  map[string]stream.Table[K, val]
	groups  map[string]stream.Grouped[K, val]

	tableGroups map[string]stream.GroupedTable[K, val]
}

func newSide[K any](g *graph, see func(K) key, back func(key) K, of func(string) serde.Serde[K]) *side[K] {
	return &side[K]{
		g: g, see: see, back: back, serde: of,
		streams: map[string]stream.Stream[K, val]{}, tables: map[string]stream.Table[K, val]{}, groups: map[string]stream.Grouped[K, val]{},
		tableGroups: map[string]stream.GroupedTable[K, val]{},
	}
}

// build makes the case's topology with the DSL. The error is a notBuilt, or what Builder.Build says.
func build(c *traceCase) (t *stream.Topology, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case notBuilt:
			err = p
		default:
			panic(p)
		}
	}()
	g := &graph{c: c, b: newBuilder(c), kinds: map[string]kinds{}, globals: map[string]stream.GlobalTable[val, val]{}}
	g.plain = newSide(g, fromPlain, toPlain, serdeOf)
	g.windowed = newSide(g, fromWindowed, toWindowed, windowedSerde)
	for _, parameters := range c.Topology {
		n := newNode(parameters)
		g.kinds[n.id] = kinds{n.kt, n.vt}
		g.step(n)
		if name := n.unread(); name != "" {
			return nil, notBuilt(fmt.Sprintf("%s with %s", n.op, name))
		}
	}
	return g.b.Build()
}

// newBuilder starts a topology with the case's configuration.
func newBuilder(c *traceCase) *stream.Builder {
	if c.Config.Optimize {
		return stream.New("app", stream.Optimized())
	}
	return stream.New("app")
}

// input returns the id of a step's first input.
func (n *node) input() string {
	if ins := n.list("ins"); len(ins) > 0 {
		return ins[0]
	}
	if in := n.text("in"); in != "" {
		return in
	}
	return n.text("left")
}

// step adds a step behind inputs with either type of key.
func (g *graph) step(n *node) {
	if isWindowed(g.kinds[n.input()].key) {
		stepOf(g.windowed, n)
		return
	}
	stepOf(g.plain, n)
}

// stepOf adds a step behind inputs with keys of type K.
func stepOf[K any](s *side[K], n *node) {
	if isWindowed(n.kt) {
		if rekey(s, s.g.windowed, n) {
			return
		}
	} else if rekey(s, s.g.plain, n) {
		return
	}
	if n.overSessions() && n.op != "cogroup" {
		sessions(s, n)
		return
	}
	if n.overWindows() && n.op != "cogroup" {
		windows(s, n)
		return
	}
	switch n.op {
	case "stream":
		s.g.stream(n)
	case "table":
		s.g.table(n)
	case "filter", "filterNot":
		s.filter(n)
	case "mapValues":
		s.mapValues(n)
	case "flatMapValues":
		s.flatMapValues(n)
	case "merge":
		s.merge(n)
	case "split":
		s.split(n)
	case "repartition":
		s.repartition(n)
	case "to":
		s.to(n)
	case "toTable":
		s.toTable(n)
	case "groupByKey":
		s.groupByKey(n)
	case "count":
		s.count(n)
	case "reduce":
		s.reduce(n)
	case "aggregate":
		s.aggregate(n)
	case "cogroup":
		cogroup(s, n)
	case "table.filter", "table.filterNot":
		s.tableFilter(n)
	case "table.mapValues":
		s.tableMapValues(n)
	case "ssJoin":
		s.joinStreams(n)
	case "stJoin":
		s.joinTable(n)
	case "ttJoin":
		s.joinTables(n)
	case "globalTable":
		s.g.globalTable(n)
	case "sgJoin":
		s.joinGlobal(n)
	case "fkJoin":
		s.joinForeign(n)
	case "table.count":
		s.countTable(n)
	case "table.reduce":
		s.reduceTable(n)
	case "table.aggregate":
		s.aggregateTable(n)
	case "suppress":
		s.suppress(n)
	case "process", "processValues":
		s.process(n)
	case "table.process":
		s.processTable(n)
	default:
		panic(notBuilt(n.op))
	}
}

// rekey adds a step that makes keys of type L of keys of type K; ok is false when the step is none of these.
func rekey[K, L any](s *side[K], to *side[L], n *node) (ok bool) {
	switch n.op {
	case "map":
		mapRows(s, to, n)
	case "flatMap":
		flatMap(s, to, n)
	case "selectKey":
		selectKey(s, to, n)
	case "groupBy":
		groupBy(s, to, n)
	case "table.toStream":
		toStream(s, to, n)
	case "table.groupBy":
		groupTable(s, to, n)
	default:
		return false
	}
	return true
}

// stream returns a stream that was built, with the serdes of its types, which steps that move its records need.
func (s *side[K]) stream(id string) stream.Stream[K, val] {
	built, ok := s.streams[id]
	if !ok {
		panic(notBuilt("a stream " + id + " with such keys"))
	}
	k := s.g.kinds[id]
	return built.WithSerdes(s.serde(k.key), serdeOf(k.value))
}

func (s *side[K]) table(id string) stream.Table[K, val] {
	built, ok := s.tables[id]
	if !ok {
		panic(notBuilt("a table " + id + " with such keys"))
	}
	return built
}

func (s *side[K]) group(id string) stream.Grouped[K, val] {
	built, ok := s.groups[id]
	if !ok {
		panic(notBuilt("a group " + id + " with such keys"))
	}
	return built
}

// values turns a function of the cases into one of the DSL.
func (s *side[K]) values(f function) func(K, val) val {
	of := valueFunction(f)
	return func(k K, v val) val { return of(s.see(k), v) }
}

// passes turns a predicate of the cases into one of the DSL.
func (s *side[K]) passes(f function, negate bool) func(K, val) bool {
	of := predicate(f)
	return func(k K, v val) bool { return of(s.see(k), v) != negate }
}

// keys turns a key function of the cases into one of the DSL.
func keys[K, L any](s *side[K], to *side[L], f function) func(K, val) L {
	of := keyFunction(f)
	return func(k K, v val) L { return to.back(of(s.see(k), v)) }
}

// named returns the option that gives a step the name in a parameter, if there is one.
func named(n *node, parameter string) []stream.Option {
	var opts []stream.Option
	if name := n.text(parameter); name != "" {
		opts = append(opts, stream.Named(name))
	}
	if parameter == "store" && n.get("cached") == false {
		opts = append(opts, stream.Uncached())
	}
	return opts
}
