//go:build suites

package traces

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
)

// A generator makes one random case. It uses what the cases' README defines and avoids what it leaves open.
type generator struct {
	*rand.Rand
	family string
	nodes  []map[string]any
	live   []made // results that no step uses so far
	all    []made
	topics map[string]*topic
	order  []string
	ids    int
	names  int
	cached bool
}

// made is the result of a step.
type made struct {
	id       string
	table    bool
	kt, vt   string
	versions int64  // of history, -1 without
	windows  string // type of the windows of a windowed table that an aggregation made, empty otherwise
	final    bool   // emitted on close
	shape    string // of the values: see topic
}

// A topic is a source's.
type topic struct {
	name, vt  string
	shape     string // plain, piped, pairs, commas, int, timed
	extractor bool
}

// generate makes the case of a seed and number.
func generate(seed, i uint64, family string) map[string]any {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, i<<32|uint64(crc32.ChecksumIEEE([]byte(family))))), family: family, topics: map[string]*topic{}}
	config := map[string]any{"cache": 0, "optimize": g.one(4), "schedule": "any"}
	if family == "cache" || family == "pipeline" && g.one(8) {
		config["cache"] = 10485760
		if family == "cache" || g.one(2) {
			config["commit"], g.cached = "manual", true
		}
	}
	g.grow()
	g.sink()
	return map[string]any{
		"id": fmt.Sprintf("%s-%d-%d", family, seed, i), "family": family, "kind": "random",
		"config": config, "topology": g.nodes, "inputs": g.inputs(),
	}
}

// one is true once in n.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// add adds a step.
func (g *generator) add(op string, result made, parameters map[string]any) made {
	g.ids++
	result.id = fmt.Sprintf("n%d", g.ids)
	n := map[string]any{"id": result.id, "op": op, "kt": result.kt, "vt": result.vt}
	for name, p := range parameters {
		n[name] = p
	}
	g.nodes = append(g.nodes, n)
	g.live = append(g.live, result)
	g.all = append(g.all, result)
	return result
}

// use takes a result off those that wait for a use; sometimes it stays and gets two.
func (g *generator) use(m made) {
	if g.one(6) {
		return
	}
	for i, l := range g.live {
		if l.id == m.id {
			g.live = append(g.live[:i:i], g.live[i+1:]...)
			return
		}
	}
}

func (g *generator) name(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

// stored adds a store's name to parameters, or leaves it out.
func (g *generator) stored(p map[string]any, prefix string) map[string]any {
	if g.one(2) {
		p["store"] = g.name(prefix)
		if g.one(10) {
			p["cached"] = false
		}
	}
	return p
}

// newTopic makes a topic with values of a shape; empty: any.
func (g *generator) newTopic(shape string) *topic {
	if shape == "" {
		shape = pick(g, "plain", "plain", "plain", "piped", "pairs", "commas", "int", "int")
	}
	t := &topic{name: fmt.Sprintf("in%d", len(g.topics)+1), vt: "string", shape: shape}
	if shape == "int" {
		t.vt = "int64"
	}
	g.topics[t.name] = t
	g.order = append(g.order, t.name)
	return t
}

func (g *generator) stream(shape string) made {
	t := g.newTopic(shape)
	p := map[string]any{"topic": t.name}
	if g.one(12) && t.shape != "int" {
		second := g.newTopic(t.shape)
		p = map[string]any{"topics": []string{t.name, second.name}}
	}
	if t.shape == "timed" {
		p["extractor"] = map[string]any{"field": 1, "invalid": pick(g, "skip", "skip", "partitionTime")}
		t.extractor = true
	}
	return g.add("stream", made{kt: "string", vt: t.vt, versions: -1, shape: t.shape}, p)
}

func (g *generator) source(shape string) made {
	t := g.newTopic(shape)
	p := g.stored(map[string]any{"topic": t.name}, "tab")
	m := made{table: true, kt: "string", vt: t.vt, versions: -1, shape: t.shape}
	if (g.family == "versioned" && !g.one(4)) || g.one(10) {
		m.versions = pick(g, int64(0), 10, 40, 100, 200)
		p["versioned"] = m.versions
		if p["store"] == nil {
			p["store"] = g.name("tab")
		}
		delete(p, "cached")
	}
	if t.shape == "timed" {
		p["extractor"] = map[string]any{"field": 1, "invalid": pick(g, "skip", "partitionTime")}
		t.extractor = true
	}
	return g.add("table", m, p)
}

// sink writes everything that has no use so far, and sometimes more.
func (g *generator) sink() {
	outs := 0
	waiting := append([]made(nil), g.live...)
	for _, m := range g.all {
		if g.one(12) && !m.table {
			waiting = append(waiting, m)
		}
	}
	for _, m := range waiting {
		if m.table {
			m = g.toStream(m)
		}
		outs++
		g.nodes = append(g.nodes, g.dropping(m, map[string]any{"op": "to", "in": m.id, "topic": fmt.Sprintf("out%d", outs), "kt": m.kt, "vt": m.vt}))
	}
}

// toStream makes a stream of a table.
func (g *generator) toStream(m made) made {
	g.use(m)
	p := map[string]any{"in": m.id}
	r := made{kt: m.kt, vt: m.vt, versions: -1, shape: m.shape}
	if isWindowed(m.kt) && g.one(2) {
		r.kt = "string"
		p["key"] = pick(g, []any{"winStr"}, []any{"inner"})
	}
	return g.add("table.toStream", r, p)
}

// plainStream makes a stream with text keys of anything.
func (g *generator) plainStream(m made) made {
	if m.table {
		m = g.toStream(m)
	}
	if m.kt != "string" {
		g.use(m)
		key := []any{"withVal"}
		if isWindowed(m.kt) {
			key = pick(g, []any{"winStr"}, []any{"inner"})
		}
		m = g.add("selectKey", made{kt: "string", vt: m.vt, versions: -1, shape: m.shape}, map[string]any{"in": m.id, "key": key})
	}
	return m
}

// plainTable makes a table with text keys of anything.
func (g *generator) plainTable(m made) made {
	if m.table && m.kt == "string" {
		return m
	}
	return g.toTable(g.plainStream(m))
}

func (g *generator) toTable(m made) made {
	g.use(m)
	p := g.stored(map[string]any{"in": m.id}, "tt")
	r := made{table: true, kt: m.kt, vt: m.vt, versions: -1, shape: m.shape}
	if p["store"] != nil && g.one(4) && m.kt == "string" {
		r.versions = pick(g, int64(0), 10, 50, 100)
		p["versioned"] = r.versions
		delete(p, "cached")
	}
	return g.add("toTable", r, p)
}
