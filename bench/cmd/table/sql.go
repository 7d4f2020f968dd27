package main

import "fmt"

// sqlRows are the figures of bench/sql.sh.
func sqlRows() []row {
	var rows []row
	add := func(tag, name string, more bool, key string) {
		rows = append(rows, row{name: name, step: "sql", cmd: "query", tag: tag, keys: []string{key}, moreIsBetter: more})
	}
	add("filterproject", "filter and project, rows of 255 bytes: rows/s per core", true, "rec_s_core")
	add("filterproject", "the same: CPU-s per million", false, "cpu_s_per_m")
	for _, name := range []string{"go", "sql"} {
		add("payments-"+name, fmt.Sprintf("payments in %s: CPU-s per million", map[string]string{"go": "Go", "sql": "SQL"}[name]), false, "cpu_s_per_m")
	}
	for q := range 24 {
		tag := fmt.Sprint("q", q)
		add(tag, "Nexmark "+tag+": CPU-s per million events", false, "cpu_s_per_m")
		add(tag, "Nexmark "+tag+": events/s", true, "rec_s")
	}
	idle := func(name, key string) {
		rows = append(rows, row{name: name, step: "sql", cmd: "idle", keys: []string{key}})
	}
	for _, state := range []struct{ key, name string }{{"fresh", "new"}, {"used", "after work"}, {"restarted", "after a restart"}} {
		idle("idle queries, "+state.name+": resident memory each, kB", state.key+"_rss_kb")
		idle("idle queries, "+state.name+": heap each, kB", state.key+"_heap_kb")
		idle("idle queries, "+state.name+": % of one CPU for all", state.key+"_cpu_percent")
	}
	idle("the first tenth of the queries: ms to create one", "create_first_ms")
	idle("the last tenth: ms to create one", "create_last_ms")
	idle("restart until all of them run, s", "restart_s")
	idle("push queries in the process: resident memory each, kB", "push_rss_kb")
	idle("the same: one record to all of them, ms", "push_last_ms")
	idle("push queries over HTTP/2: resident memory each, with its client, kB", "http_rss_kb")
	idle("the same: one record to all of them, ms", "http_last_ms")
	return rows
}
