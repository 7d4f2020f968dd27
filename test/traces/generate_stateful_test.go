//go:build suites

package traces

import "strconv"

// group groups a stream with text keys.
func (g *generator) group(m made) made {
	m = g.plainStream(m)
	g.use(m)
	p := map[string]any{"in": m.id}
	if g.one(4) {
		p["name"] = g.name("grp")
	}
	r := made{kt: "string", vt: m.vt, versions: -1, shape: m.shape}
	if g.one(3) {
		p["key"] = g.keyFunction(m)
		r = g.add("groupBy", r, p)
	} else {
		r = g.add("groupByKey", r, p)
	}
	g.live, g.all = g.live[:len(g.live)-1], g.all[:len(g.all)-1]
	return r
}

// windows returns the parameters of windows and the type of their keys.
func (g *generator) windows(kind string) (map[string]any, string) {
	size := pick(g, int64(5), 10, 20, 50)
	grace := pick(g, int64(0), 0, 5, 10, 30, 100)
	w := map[string]any{"type": kind, "grace": grace}
	kt := "tw:" + strconv.FormatInt(size, 10)
	switch kind {
	case "hopping":
		w["size"], w["advance"] = size, pick(g, size, size/2, (size+2)/3, 1+size/5)
	case "tumbling":
		w["size"] = size
	case "sliding":
		w["diff"] = size
	case "session":
		w["gap"], kt = pick(g, int64(1), 5, 10, 25), "sw"
	}
	return w, kt
}

// windowed adds windows to the parameters of an aggregation.
func (g *generator) windowedBy(kind string, p map[string]any, r *made) {
	w, kt := g.windows(kind)
	p["windows"], r.kt, r.windows = w, kt, kind
	if g.family == "emit-close" || g.one(10) {
		p["emit"], r.final = "close", true
		p["retention"] = 10000000
	} else if g.one(3) {
		p["retention"] = 2*w["grace"].(int64) + 300
	}
	if r.final && g.cached {
		delete(p, "emit")
		r.final = false
	}
}

// aggregate adds a count, reduction or aggregation of a group; kind is the type of the windows, empty for none.
func (g *generator) aggregate(m made, kind string) made {
	p := g.stored(map[string]any{"in": m.id}, "agg")
	r := made{table: true, kt: m.kt, vt: m.vt, versions: -1, shape: m.shape}
	if kind != "" {
		g.windowedBy(kind, p, &r)
	}
	switch g.IntN(3) {
	case 0:
		r.vt = "int64"
		return g.add("count", r, p)
	case 1:
		p["fn"] = g.reducer(m.vt)
		return g.add("reduce", r, p)
	}
	p["fn"], p["init"], r.vt = g.aggregator(m.vt)
	if kind == "session" {
		p["merge"] = []any{"concat", "&"}
		if r.vt == "int64" {
			p["merge"] = []any{"sum"}
		}
	}
	return g.add("aggregate", r, p)
}

func (g *generator) reducer(vt string) []any {
	if vt == "int64" {
		return pick(g, []any{"sum"}, []any{"sub"}, []any{"max"}, []any{"min"}, []any{"last"}, []any{"first"})
	}
	return pick(g, []any{"concat", "+"}, []any{"last"}, []any{"first"}, []any{"nullIfNew", "y"})
}

func (g *generator) aggregator(vt string) (fn []any, start any, out string) {
	if vt == "int64" && !g.one(4) {
		return pick(g, []any{"sum"}, []any{"max"}, []any{"min"}, []any{"cnt"}, []any{"sub"}), pick(g, any(0), any(100), nil), "int64"
	}
	if g.one(6) {
		return []any{"cnt"}, 0, "int64"
	}
	return pick(g, []any{"concat", ","}, []any{"concat", "+"}, []any{"concatNull", ",", "y"}), pick(g, any(""), any("<"), nil), "string"
}

// tableAggregate groups a table again and aggregates.
func (g *generator) tableAggregate(m made) made {
	g.use(m)
	p := map[string]any{"in": m.id, "key": g.keyFunction(m), "fn": []any{"id"}}
	if isWindowed(m.kt) {
		p["key"] = pick(g, []any{"inner"}, []any{"winStr"})
	} else if m.kt != "string" {
		return m
	}
	if g.one(4) {
		p["name"] = g.name("tg")
	}
	vt := m.vt
	if m.vt == "string" && g.one(3) {
		p["fn"], vt = []any{"num"}, "int64"
	}
	group := g.add("table.groupBy", made{kt: "string", vt: vt, versions: -1, shape: m.shape}, p)
	g.live, g.all = g.live[:len(g.live)-1], g.all[:len(g.all)-1]
	p = g.stored(map[string]any{"in": group.id}, "ta")
	r := made{table: true, kt: "string", vt: vt, versions: -1, shape: m.shape}
	switch g.IntN(3) {
	case 0:
		r.vt = "int64"
		return g.add("table.count", r, p)
	case 1:
		p["add"], p["sub"] = []any{"concat", "+"}, []any{"concat", "-"}
		if vt == "int64" {
			p["add"], p["sub"] = []any{"sum"}, []any{"sub"}
		}
		return g.add("table.reduce", r, p)
	}
	p["add"], p["sub"], p["init"] = []any{"concat", "+"}, pick(g, []any{"concat", "-"}, []any{"concatNull", "-", "1"}), pick(g, any(""), nil)
	r.vt = "string"
	if vt == "int64" {
		p["add"], p["sub"], p["init"], r.vt = []any{"sum"}, []any{"sub"}, 0, "int64"
	}
	return g.add("table.aggregate", r, p)
}

func (g *generator) suppress(m made) made {
	if m.versions >= 0 || m.kt == "int64" {
		return m
	}
	g.use(m)
	p := map[string]any{"in": m.id}
	if g.one(2) {
		p["name"] = g.name("sup")
	}
	if m.windows != "" && !g.one(3) {
		p["until"] = "windowCloses"
	} else {
		p["until"], p["limit"] = "timeLimit", pick(g, 0, 5, 10, 30, 100)
		if g.one(2) {
			p["maxRecords"], p["full"] = pick(g, 1, 2, 4), "emit"
		}
	}
	return g.add("suppress", made{table: true, kt: m.kt, vt: m.vt, versions: -1, shape: m.shape, final: true}, p)
}

// cogroup aggregates two or three streams together.
func (g *generator) cogroup() { g.cogrouped(g.someStream()) }

func (g *generator) cogrouped(m made) made {
	first := g.group(m)
	ints := first.vt == "int64"
	ins, fns := []string{}, []any{}
	var groups []made
	for i := range 2 + g.IntN(2) {
		in := first
		if i > 0 {
			shape := "plain"
			if ints {
				shape = "int"
			}
			in = g.group(g.stream(shape))
		}
		groups = append(groups, in)
	}
	for _, in := range groups {
		ins = append(ins, in.id)
		if ints {
			fns = append(fns, pick(g, []any{"sum"}, []any{"max"}, []any{"sub"}))
		} else {
			fns = append(fns, pick(g, []any{"concat", "+"}, []any{"concat", "#"}, []any{"concatNull", "*", "y"}))
		}
	}
	p := g.stored(map[string]any{"ins": ins, "fns": fns, "init": ""}, "co")
	r := made{table: true, kt: "string", vt: "string", versions: -1, shape: "plain"}
	if ints {
		p["init"], r.vt, r.shape = 0, "int64", "int"
	}
	if kind := pick(g, "", "", "tumbling", "hopping", "session", "sliding"); kind != "" {
		w, kt := g.windows(kind)
		p["windows"], r.kt, r.windows = w, kt, kind
		if kind == "session" {
			p["merge"] = []any{"concat", "&"}
			if ints {
				p["merge"] = []any{"sum"}
			}
		}
	}
	return g.add("cogroup", r, p)
}

func (g *generator) joinStreams() {
	left := g.someStream()
	if g.one(8) {
		g.streamsJoined(left, left)
		return
	}
	g.streamsJoined(left, g.someStream())
}

func (g *generator) streamsJoined(left, right made) made {
	g.use(left)
	g.use(right)
	kind := pick(g, "inner", "left", "outer")
	size := pick(g, int64(0), 5, 10, 20)
	p := map[string]any{
		"left": left.id, "right": right.id, "type": kind, "fn": pick(g, []any{"pair"}, []any{"pairKey"}),
		"before": size, "after": pick(g, size, size, int64(0), 5, 15), "grace": pick(g, 0, 0, 5, 20, 100),
	}
	if g.one(4) {
		p["store"] = g.name("js")
	}
	if g.one(4) {
		p["name"] = g.name("jn")
	}
	return g.add("ssJoin", made{kt: "string", vt: "string", versions: -1, shape: "plain"}, p)
}

func (g *generator) joinTable() { g.joined(g.someStream(), g.plainTable(g.someTable())) }

func (g *generator) joined(left, right made) made {
	g.use(left)
	g.use(right)
	p := map[string]any{"left": left.id, "right": right.id, "type": pick(g, "inner", "left"), "fn": pick(g, []any{"pair"}, []any{"pairKey"})}
	if right.versions >= 10 && g.one(2) {
		p["grace"], p["name"] = pick(g, int64(0), 5, right.versions), g.name("sj")
	}
	return g.add("stJoin", made{kt: "string", vt: "string", versions: -1, shape: "plain"}, p)
}

func (g *generator) joinGlobal() {
	t := g.newTopic("plain")
	p := map[string]any{"topic": t.name, "store": g.name("glob")}
	right := g.add("globalTable", made{kt: "string", vt: "string", versions: -1, shape: "plain"}, p)
	g.live, g.all = g.live[:len(g.live)-1], g.all[:len(g.all)-1]
	left := g.someStream()
	g.use(left)
	g.add("sgJoin", made{kt: "string", vt: "string", versions: -1, shape: "plain"}, map[string]any{
		"left": left.id, "right": right.id, "type": pick(g, "inner", "left"), "key": g.keyFunction(left),
		"fn": pick(g, []any{"pair"}, []any{"pairKey"}),
	})
}

func (g *generator) joinTables() {
	g.tablesJoined(g.plainTable(g.someTable()), g.plainTable(g.someTable()))
}

func (g *generator) tablesJoined(left, right made) made {
	g.use(left)
	g.use(right)
	p := g.stored(map[string]any{
		"left": left.id, "right": right.id, "type": pick(g, "inner", "left", "outer"),
		"fn": pick(g, []any{"pair"}, []any{"pair"}, []any{"right"}, []any{"pairNull", "y"}),
	}, "tj")
	r := made{table: true, kt: "string", vt: "string", versions: -1, shape: "plain"}
	if p["fn"].([]any)[0] == "right" {
		r.vt = right.vt
	}
	return g.add("ttJoin", r, p)
}

func (g *generator) joinForeign() {
	left := g.source("piped")
	if g.one(4) {
		left = g.tableStep(left)
	}
	g.foreignJoined(left, g.plainTable(g.someTable()))
}

func (g *generator) foreignJoined(left, right made) made {
	g.use(left)
	g.use(right)
	fk := pick(g, []any{"valFirst", 1}, []any{"withVal"})
	switch {
	case left.vt == "int64":
		fk = []any{"valMod", 3}
	case left.shape == "piped":
		fk = []any{"field", 0}
	}
	p := g.stored(map[string]any{
		"left": left.id, "right": right.id, "type": pick(g, "inner", "left"), "fk": fk, "fn": []any{"pair"},
	}, "fj")
	p["name"] = g.name("fk")
	return g.add("fkJoin", made{table: true, kt: "string", vt: "string", versions: -1, shape: "plain"}, p)
}
