package connectors

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/connector/poll"
	"github.com/mainstemio/mainstem/internal/sql/session"
)

// The properties of sources.
const (
	propMode     = "mode"
	propNumber   = "incrementing.column.name"
	propTime     = "timestamp.column.name"
	propPrefix   = "topic.prefix"
	propTables   = "table.whitelist"
	propInclude  = "table.include.list"
	propQuery    = "query"
	propInterval = "poll.interval.ms"
	propRows     = "batch.max.rows"
)

// Defaults of sources, those of Confluent's.
const (
	defaultInterval = 5 * time.Second
	defaultRows     = 100
)

// sourceProperties are those of a source with the values that they may have; nil: any.
func sourceProperties(jdbc bool) map[string][]string {
	out := map[string][]string{
		propClass: nil, propMode: {string(poll.Bulk), string(poll.Incrementing), string(poll.Timestamp), string(poll.Both)},
		propNumber: nil, propTime: nil, propPrefix: nil, propTables: nil, propInclude: nil, propQuery: nil, propInterval: nil, propRows: nil, propBusy: nil,
	}
	if jdbc {
		out[propURL] = nil
	} else {
		out[propPath] = nil
	}
	return out
}

// feed makes the poller of a source connector.
func feed(c *session.Connector) (*poll.Poller, error) {
	var at config
	class := c.Config[propClass]
	jdbc := class == ClassJDBCSource
	const classes = "there are '" + ClassSQLite + "' and '" + ClassJDBCSource + "'"
	switch {
	case class == "":
		return nil, refuse("", classes, "it has no '%s'", propClass)
	case class != ClassSQLite && !jdbc:
		return nil, refuse(propClass, classes, "there is no class '%s' of sources", class)
	}
	if err := checkSource(c.Config, sourceProperties(jdbc)); err != nil {
		return nil, err
	}
	if err := at.locate(c.Config, jdbc); err != nil {
		return nil, err
	}
	cfg := poll.Config{
		Name: c.Name, Path: at.path, Prefix: c.Config[propPrefix], Query: c.Config[propQuery], Mode: poll.Mode(strings.ToLower(c.Config[propMode])),
		Number: c.Config[propNumber], Time: c.Config[propTime], Tables: fields(c.Config[propTables] + "," + c.Config[propInclude]),
		Interval: defaultInterval, BatchRows: defaultRows,
	}
	if err := amounts(c.Config, &cfg); err != nil {
		return nil, err
	}
	p, err := poll.New(cfg)
	if err != nil {
		return nil, refuse(propMode, "bulk needs no column, the others '"+propNumber+"', '"+propTime+"' or both", "%s", err)
	}
	return p, nil
}

// checkSource refuses properties that a source does not have, and what does not go together.
func checkSource(given map[string]string, want map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		allowed, known := want[name]
		switch {
		case !known && !slices.ContainsFunc(ignored, func(i string) bool { return name == i || strings.HasPrefix(name, i+".") }):
			return refuse(name, near(name, want), "it is no property of this source")
		case allowed != nil && !slices.Contains(allowed, strings.ToLower(given[name])):
			return refuse(name, "it is one of "+strings.Join(allowed, ", "), "there is no '%s'", given[name])
		}
	}
	tables := len(fields(given[propTables])) + len(fields(given[propInclude]))
	switch {
	case given[propMode] == "":
		return refuse("", "'"+propMode+"'='"+string(poll.Incrementing)+"', '"+propNumber+"'='id'", "it has no '%s'", propMode)
	case tables == 0 && given[propQuery] == "":
		return refuse("", "'"+propInclude+"'='orders,customers'", "it names neither tables nor a query")
	case tables > 0 && given[propQuery] != "":
		return refuse(propQuery, "make two connectors", "tables and a query do not go together")
	case given[propQuery] != "" && given[propPrefix] == "":
		return refuse("", "'"+propPrefix+"'='orders'", "the topic of a query is the '%s', which is missing", propPrefix)
	}
	return nil
}

// amounts reads the properties that are numbers.
func amounts(given map[string]string, to *poll.Config) error {
	for _, p := range []struct {
		name  string
		least int
		set   func(n int)
	}{
		{propInterval, 1, func(n int) { to.Interval = time.Duration(n) * time.Millisecond }},
		{propRows, 1, func(n int) { to.BatchRows = n }},
		{propBusy, 0, func(n int) { to.Busy = time.Duration(n) * time.Millisecond }},
	} {
		text, there := given[p.name]
		if !there {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 31)
		if err != nil || int(n) < p.least {
			return refuse(p.name, "", "'%s' is no whole number from %d", text, p.least)
		}
		p.set(int(n))
	}
	return nil
}
