//go:build suites

package traces

import "slices"

// grow makes the steps of a case: first those of its family, then some more on top.
func (g *generator) grow() {
	more := g.IntN(3)
	switch g.family {
	case "stateless":
		g.stateless(g.stateless(g.stream("")))
		more = 1 + g.IntN(3)
	case "headers":
		g.anyStep(g.stream("plain"))
		more = g.IntN(2)
	case "table":
		m := g.source("")
		for range 1 + g.IntN(3) {
			m = g.tableStep(m)
		}
	case "table-agg":
		g.tableAggregate(g.someTable())
	case "group-agg":
		g.aggregate(g.group(g.someStream()), "")
	case "time-window", "sliding-window", "session-window":
		w := map[string][]string{"time-window": {"tumbling", "hopping"}, "sliding-window": {"sliding"}, "session-window": {"session"}}[g.family]
		g.aggregate(g.group(g.someStream()), pick(g, w...))
	case "emit-close":
		g.aggregate(g.group(g.someStream()), pick(g, "tumbling", "hopping", "session", "sliding"))
	case "suppress":
		g.suppress(g.aggregate(g.group(g.someStream()), pick(g, "tumbling", "hopping", "session", "sliding", "")))
	case "cogroup":
		g.cogroup()
	case "join-stream-stream":
		g.joinStreams()
	case "join-stream-table":
		g.joinTable()
	case "join-stream-global":
		g.joinGlobal()
	case "join-table-table":
		g.joinTables()
	case "join-foreign-key":
		g.joinForeign()
	case "versioned":
		pick(g, g.joinTable, g.joinTables, g.joinForeign, func() { g.tableAggregate(g.source("")) }, func() { g.tableStep(g.source("")) })()
	case "process-table":
		g.processTable(g.someTable())
	case "partitioner":
		g.repartition(g.someStream())
		more = 1 + g.IntN(2)
	case "processor":
		g.process(g.someStream())
	case "repartition":
		g.repartition(g.stateless(g.someStream()))
		more = 1 + g.IntN(2)
	case "timestamps":
		if g.one(2) {
			g.anyStep(g.stream("timed"))
		} else {
			g.anyStep(g.source("timed"))
		}
	case "cache":
		g.anyStep(g.someStream())
		more = 1 + g.IntN(2)
	default:
		g.anyStep(g.someStream())
		more = 2 + g.IntN(4)
	}
	for range more {
		if len(g.live) > 0 {
			g.anyStep(pick(g, g.live...))
		}
	}
}

// someStream makes a source, sometimes with a step that changes its keys.
func (g *generator) someStream() made {
	if g.one(6) {
		return g.plainStream(g.source(""))
	}
	m := g.stream("")
	if g.one(3) {
		m = g.stateless(m)
	}
	return g.plainStream(m)
}

// someTable makes a table in one of the ways there are.
func (g *generator) someTable() made {
	switch g.IntN(6) {
	case 0:
		return g.toTable(g.stream(""))
	case 1:
		return g.aggregate(g.group(g.stream("")), "")
	case 2:
		return g.tableStep(g.source(""))
	}
	return g.source("")
}

// anyStep adds a step of any kind behind a result.
func (g *generator) anyStep(m made) {
	if m.table && !g.one(3) {
		g.tableChain(m)
		return
	}
	s := g.plainStream(m)
	switch g.IntN(12) {
	case 0, 1:
		g.stateless(s)
	case 2, 3:
		g.aggregate(g.group(s), "")
	case 4, 5:
		g.aggregate(g.group(s), pick(g, "tumbling", "hopping", "session", "sliding"))
	case 6:
		g.toTable(s)
	case 7:
		g.repartition(s)
	case 8:
		g.process(s)
	case 9:
		g.streamsJoined(s, g.otherStream())
	case 10:
		g.joined(s, g.otherTable())
	case 11:
		g.cogrouped(s)
	}
}

// tableChain adds a step behind a table.
func (g *generator) tableChain(m made) {
	if isWindowed(m.kt) {
		switch {
		case g.one(3) && !m.final:
			g.suppress(m)
		case g.one(2):
			g.tableStep(m)
		default:
			g.tableAggregate(m)
		}
		return
	}
	if m.kt != "string" {
		g.tableStep(m)
		return
	}
	if g.family == "process-table" && g.one(3) {
		g.processTable(m)
		return
	}
	switch g.IntN(6) {
	case 0:
		g.tableStep(m)
	case 1:
		g.tableAggregate(m)
	case 2:
		g.suppress(m)
	case 3:
		g.tablesJoined(m, g.otherTable())
	case 4:
		g.foreignJoined(m, g.otherTable())
	case 5:
		g.joined(g.otherStream(), m)
	}
}

// otherStream is a stream with text keys, new or made before.
func (g *generator) otherStream() made {
	if g.one(3) {
		for range 5 {
			if m := pick(g, g.all...); !m.table && m.kt == "string" {
				return m
			}
		}
	}
	return g.stream("")
}

// otherTable is a table with text keys, new or made before.
func (g *generator) otherTable() made {
	if g.one(3) {
		for range 5 {
			if m := pick(g, g.all...); m.table && m.kt == "string" {
				return m
			}
		}
	}
	return g.source("")
}

// stateless adds a step without state.
func (g *generator) stateless(m made) made {
	if m.kt != "string" {
		return m
	}
	g.use(m)
	in := map[string]any{"in": m.id}
	same := made{kt: m.kt, vt: m.vt, versions: -1, shape: m.shape}
	switch g.IntN(9) {
	case 0:
		in["fn"] = g.predicate(m.vt)
		return g.add(pick(g, "filter", "filterNot"), same, in)
	case 1, 2:
		in["fn"], same.vt = g.valueFunction(m)
		return g.add("mapValues", same, in)
	case 3:
		in["fn"], same.vt = g.valueFunction(m)
		in["key"] = g.keyFunction(m)
		return g.add("map", same, in)
	case 4:
		same.vt = "string"
		in["fn"] = pick(g, []any{"dup", 2}, []any{"split"})
		if m.vt == "string" && m.shape == "pairs" {
			in["fn"] = []any{"splitKV"}
		}
		return g.add("flatMap", same, in)
	case 5:
		same.vt = "string"
		in["fn"] = pick(g, []any{"dup", 2}, []any{"split"})
		return g.add("flatMapValues", same, in)
	case 6:
		in["key"] = g.keyFunction(m)
		return g.add("selectKey", same, in)
	case 7:
		other := g.otherStream()
		if other.vt != m.vt {
			return m
		}
		g.use(other)
		return g.add("merge", same, map[string]any{"ins": []string{m.id, other.id}})
	}
	return g.split(m)
}

func (g *generator) split(m made) made {
	r := g.add("split", made{kt: m.kt, vt: m.vt, versions: -1, shape: m.shape}, map[string]any{"in": m.id})
	n := g.nodes[len(g.nodes)-1]
	g.live, g.all = g.live[:len(g.live)-1], g.all[:len(g.all)-1]
	var branches []any
	for range 1 + g.IntN(2) {
		b := r
		b.id = r.id + "b" + string(rune('0'+len(branches)))
		branches = append(branches, map[string]any{"id": b.id, "fn": g.predicate(m.vt)})
		g.live, g.all = append(g.live, b), append(g.all, b)
	}
	n["branches"] = branches
	if g.one(2) {
		d := r
		d.id = r.id + "d"
		n["default"] = d.id
		g.live, g.all = append(g.live, d), append(g.all, d)
	}
	return g.live[len(g.live)-1]
}

func (g *generator) predicate(vt string) []any {
	if vt == "int64" {
		return pick(g, []any{"gt", 3}, []any{"even"}, []any{"valNull"}, []any{"keyIn", []any{"a", "c"}})
	}
	return pick(g, []any{"contains", "x"}, []any{"lenGt", 2}, []any{"valNull"}, []any{"keyIn", []any{"a", "b"}}, []any{"contains", "1"})
}

func (g *generator) valueFunction(m made) ([]any, string) {
	if m.vt == "int64" {
		if g.one(4) {
			return pick(g, []any{"str"}, []any{"append", "!"}, []any{"withKey"}), "string"
		}
		return pick(g, []any{"id"}, []any{"add", 5}, []any{"mod", 3}, []any{"nullIf", "4"}, []any{"const", 7}), "int64"
	}
	if g.one(5) {
		return pick(g, []any{"len"}, []any{"num"}), "int64"
	}
	return pick(g, []any{"id"}, []any{"upper"}, []any{"append", "!"}, []any{"nullIf", "y"}, []any{"withKey"}, []any{"const", "k"}), "string"
}

func (g *generator) keyFunction(m made) []any {
	if m.vt == "int64" {
		return pick(g, []any{"valMod", 3}, []any{"id"}, []any{"const", "k"}, []any{"nullIfKey", "a"}, []any{"withVal"}, []any{"keyFirst", 1})
	}
	if m.shape == "piped" && !g.one(3) {
		return []any{"field", g.IntN(3)}
	}
	return pick(g, []any{"valFirst", 1}, []any{"id"}, []any{"const", "k"}, []any{"nullIfKey", "a"}, []any{"val"}, []any{"withVal"}, []any{"keyFirst", 1})
}

// tableStep adds a filter or mapping of a table.
func (g *generator) tableStep(m made) made {
	g.use(m)
	p := map[string]any{"in": m.id}
	if m.kt == "string" || g.one(4) {
		p = g.stored(p, "f")
	}
	if isWindowed(m.kt) {
		delete(p, "store")
		delete(p, "cached")
	}
	r := made{table: true, kt: m.kt, vt: m.vt, versions: -1, shape: m.shape, windows: m.windows, final: m.final}
	if p["store"] == nil && p["cached"] == nil {
		r.versions = m.versions
	}
	if g.one(2) {
		p["fn"] = g.predicate(m.vt)
		return g.add(pick(g, "table.filter", "table.filterNot"), r, p)
	}
	p["fn"], r.vt = g.valueFunction(m)
	return g.add("table.mapValues", r, p)
}

func (g *generator) repartition(m made) made {
	m = g.plainStream(m)
	g.use(m)
	r := made{kt: "string", vt: m.vt, versions: -1, shape: m.shape}
	return g.add("repartition", r, g.dropping(m, map[string]any{"in": m.id, "name": g.name("rep")}))
}

// hide leaves a result to the steps that use it so far.
func (g *generator) hide(m made) {
	for _, list := range []*[]made{&g.live, &g.all} {
		*list = slices.DeleteFunc(*list, func(l made) bool { return l.id == m.id })
	}
}

// dropping adds a partitioner to the parameters of a step that writes a result to a topic, sometimes.
func (g *generator) dropping(m made, p map[string]any) map[string]any {
	if g.family == "partitioner" && !g.one(3) {
		p["dropIf"] = g.predicate(m.vt)
	}
	return p
}

// processTable adds a table that a processor computes. Of one that is not kept only the updates are looked at: Kafka Streams asks its
// processor again for what was there before and for the rows that joins look up, where this engine keeps it after all.
func (g *generator) processTable(m made) made {
	if m.kt != "string" || m.versions >= 0 {
		return g.tableStep(m)
	}
	g.use(m)
	p := map[string]any{"in": m.id}
	if !g.one(3) {
		p["kept"] = g.name("pt")
	}
	store := map[string]any{"name": g.name("ps"), "type": "kv", "kt": "string", "vt": "int64"}
	switch n := g.IntN(4); {
	case p["kept"] == nil || n == 0:
		p["proc"] = []any{"mark"}
	case n == 1:
		p["proc"] = []any{"undelete"}
	default:
		p["proc"], p["store"] = []any{pick(g, "countUpdates", "everySecond")}, store
	}
	r := g.add("table.process", made{table: true, kt: m.kt, vt: "string", versions: -1}, p)
	if p["kept"] != nil {
		return r
	}
	defer g.hide(r)
	return g.toStream(r)
}

// process adds a processor.
func (g *generator) process(m made) made {
	g.use(m)
	r := made{kt: "string", vt: m.vt, versions: -1, shape: m.shape}
	p := map[string]any{"in": m.id}
	store := map[string]any{"name": g.name("ps"), "type": "kv", "kt": "string", "vt": "int64"}
	switch g.IntN(11) {
	case 0:
		p["proc"], p["store"] = []any{"dedup", pick(g, 10, 25)}, store
	case 1:
		if m.vt != "int64" {
			p["fn"], r.vt = []any{"len"}, "int64"
			return g.process(g.add("mapValues", r, p))
		}
		p["proc"], p["store"] = []any{"runningMax"}, store
	case 2:
		p["proc"], p["store"], r.vt = []any{"ttl", pick(g, 10, 20), pick(g, 5, 10), pick(g, "stream", "wall")}, store, "string"
	case 3:
		p["proc"], r.vt = []any{"tick", pick(g, 5, 10), pick(g, "stream", "wall"), pick(g, 0, 0, 2)}, "string"
	case 4:
		store["type"], store["size"], store["retention"] = "window", 10, pick(g, 200, 100000)
		p["proc"], p["store"], r.vt = []any{"winSum", 10, pick(g, 0, 20)}, store, "string"
	case 5:
		store["type"], store["retention"] = "session", pick(g, 80, 500, 100000)
		p["proc"], p["store"], r.vt = []any{"sessCount", pick(g, 5, 10)}, store, "string"
	case 6:
		store["type"], store["vt"], store["history"] = "versioned", m.vt, pick(g, 0, 30, 1000)
		p["proc"], p["store"], r.vt = []any{"versionedGet", pick(g, 0, 5, 50)}, store, "string"
	case 7:
		p["proc"], r.vt = []any{"clock"}, "string"
	case 8:
		p["proc"] = []any{"reTs", pick(g, -10, 5, 30)}
	case 9:
		p["proc"], p["store"], r.vt = []any{"count"}, store, "string"
		return g.add("processValues", r, p)
	default:
		p["proc"] = []any{"failOn", pick(g, "boom", "nothing")}
	}
	return g.add("process", r, p)
}
