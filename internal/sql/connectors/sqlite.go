package connectors

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/connector/sqlite"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/cast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/lower"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/row"
)

// The classes of connectors.
const (
	ClassSQLite     = "sqlite" // of sinks and of sources
	ClassJDBC       = "io.confluent.connect.jdbc.JdbcSinkConnector"
	ClassJDBCSource = "io.confluent.connect.jdbc.JdbcSourceConnector"
)

// The properties that are read.
const (
	propClass     = "connector.class"
	propTopics    = "topics"
	propPath      = "path"
	propURL       = "connection.url"
	propTable     = "table.name.format"
	propPKMode    = "pk.mode"
	propPKFields  = "pk.fields"
	propInsert    = "insert.mode"
	propDelete    = "delete.enabled"
	propCreate    = "auto.create"
	propEvolve    = "auto.evolve"
	propWhitelist = "fields.whitelist"
	propBusy      = "busy.timeout.ms"
)

// ignored are properties of Connect that say what is known here otherwise, or how much is done at once.
var ignored = []string{
	"name", "tasks.max", "key.converter", "value.converter", "header.converter", "batch.size", "max.retries", "retry.backoff.ms", "dialect.name",
	"connection.attempts", "connection.backoff.ms", "quote.sql.identifiers", "db.timezone",
}

// jdbcSQLite begins the URLs of SQLite's databases.
const jdbcSQLite = "jdbc:sqlite:"

// A config is what a connector says, checked.
type config struct {
	path, table string
	pkFields    []string
	whitelist   []string // nil: all
	busy        time.Duration
}

func refuse(property, hint, reason string, args ...any) error {
	return &session.ConfigError{Property: property, Reason: fmt.Sprintf(reason, args...), Hint: hint}
}

// read checks the properties of a sink.
func read(c *session.Connector) (config, error) {
	var out config
	class, given := c.Config[propClass]
	jdbc := class == ClassJDBC
	switch {
	case !given:
		return out, refuse("", "there are '"+ClassSQLite+"' and '"+ClassJDBC+"'", "it has no '%s'", propClass)
	case class != ClassSQLite && !jdbc:
		return out, refuse(propClass, "there are '"+ClassSQLite+"' and '"+ClassJDBC+"'", "there is no class '%s'", class)
	}
	want := wanted(jdbc)
	for _, name := range slices.Sorted(maps.Keys(c.Config)) {
		value := c.Config[name]
		allowed, known := want[name]
		switch {
		case !known && !slices.ContainsFunc(ignored, func(i string) bool { return name == i || strings.HasPrefix(name, i+".") }):
			return out, refuse(name, near(name, want), "it is no property of this sink")
		case known && allowed != nil && !slices.Contains(allowed, strings.ToLower(value)):
			return out, refuse(name, "set it to '"+allowed[0]+"'", "'%s' is not what the sink does, which is '%s'", value, allowed[0])
		}
	}
	if jdbc { // its defaults are other than what the sink does, so each must be said
		for _, name := range []string{propInsert, propPKMode, propDelete, propCreate} {
			if _, given := c.Config[name]; !given {
				return out, refuse("", "add '"+name+"'='"+want[name][0]+"'", "the default of '%s' is not what the sink does", name)
			}
		}
	}
	out.table = c.Config[propTable]
	if out.table == "" {
		out.table = "${topic}"
	}
	out.pkFields, out.whitelist = fields(c.Config[propPKFields]), fields(c.Config[propWhitelist])
	if ms := c.Config[propBusy]; ms != "" {
		d, err := time.ParseDuration(ms + "ms")
		if err != nil || d < 0 {
			return out, refuse(propBusy, "", "'%s' is no number of milliseconds", ms)
		}
		out.busy = d
	}
	return out, out.locate(c.Config, jdbc)
}

// wanted are the properties of a class with the values that they may have; nil: any.
func wanted(jdbc bool) map[string][]string {
	out := map[string][]string{
		propClass: nil, propTopics: nil, propTable: nil, propPKFields: nil, propWhitelist: nil, propBusy: nil,
		propInsert: {"upsert"}, propPKMode: {"record_key"}, propDelete: {"true"}, propCreate: {"true"}, propEvolve: {"false"},
	}
	if jdbc {
		out[propURL] = nil
	} else {
		out[propPath] = nil
	}
	return out
}

func near(name string, want map[string][]string) string {
	names := slices.Sorted(maps.Keys(want))
	if n := parse.Nearest(name, names); n != "" {
		return "did you mean " + n + "?"
	}
	return "there are " + strings.Join(names, ", ")
}

// locate finds the database.
func (c *config) locate(config map[string]string, jdbc bool) error {
	name := propPath
	c.path = config[propPath]
	if jdbc {
		name = propURL
		url := config[propURL]
		path, ok := strings.CutPrefix(url, jdbcSQLite)
		if url != "" && !ok {
			return refuse(propURL, "only "+jdbcSQLite+"<file> is there", "'%s' is no database of SQLite", url)
		}
		c.path, _, _ = strings.Cut(path, "?")
	}
	if c.path == "" {
		return refuse("", "'"+name+"'='…/customers.db'", "it names no database: '%s' is missing", name)
	}
	return nil
}

func fields(list string) []string {
	var out []string
	for f := range strings.SplitSeq(list, ",") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}

// sink makes the sink of one topic.
func (c config) sink(name string, source *catalog.Source, schemas format.Schemas) (connect.Sink, error) {
	keys := slices.Clone(source.Key)
	if source.Window.Windowed() {
		keys = append(keys, row.Column{Name: "WINDOWSTART", Type: row.Bigint}, row.Column{Name: "WINDOWEND", Type: row.Bigint})
	}
	if len(keys) == 0 {
		return nil, refuse(propTopics, "PARTITION BY a column first", "%s %s has no key, and rows are found by the key of their record", source.Kind(), source.Name)
	}
	names := namesOf(keys)
	if len(c.pkFields) > 0 {
		if len(c.pkFields) != len(names) {
			return nil, refuse(propPKFields, "", "the key of %s has the %d columns %s", source.Name, len(names), strings.Join(names, ", "))
		}
		names = c.pkFields
	}
	columns, picked, err := c.columns(source, keys, names)
	if err != nil {
		return nil, err
	}
	keyCodec, err := lower.KeysOf(source, schemas)
	if err != nil {
		return nil, err
	}
	values, err := format.New(format.Side{
		Spec: source.ValueFormat.Spec, Schema: source.Value, Unwrapped: source.ValueFormat.Unwrapped, Topic: source.Topic, Reads: true, Schemas: schemas,
	})
	if err != nil {
		return nil, err
	}
	s, err := sqlite.New(sqlite.Config[row.Row, row.Row]{
		Name: name + "/" + source.Topic, Path: c.path, BusyTimeout: c.busy,
		Table: sqlite.Table{Name: strings.ReplaceAll(c.table, "${topic}", source.Topic), Columns: columns, PrimaryKey: names, Group: names},
		Key:   keyCodec, Value: values,
		Group: func(key row.Row) []any { return bound(key, keys) },
		Rows: func(r sqlite.Record[row.Row, row.Row]) ([]sqlite.Row, error) {
			if r.Value.IsNull() {
				return nil, nil
			}
			out := sqlite.Row(bound(r.Key, keys))
			for _, i := range picked {
				out = append(out, value(r.Value.At(i), source.Value[i].Type))
			}
			return []sqlite.Row{out}, nil
		},
	})
	if err != nil {
		return nil, err // not s: a nil pointer in an interface is no nil
	}
	return s, nil
}

// columns are those of the table: of the key, then of the value. picked are the places of the latter.
func (c config) columns(source *catalog.Source, keys row.Schema, names []string) (columns []sqlite.Column, picked []int, err error) {
	for i, k := range keys {
		t, err := typeOf(k)
		if err != nil {
			return nil, nil, err
		}
		columns = append(columns, sqlite.Column{Name: names[i], Type: t})
	}
	for _, f := range c.whitelist {
		if source.Value.Index(f) < 0 && !slices.Contains(names, f) {
			return nil, nil, refuse(propWhitelist, "there are "+strings.Join(namesOf(source.Value), ", "), "%s has no column %s", source.Name, f)
		}
	}
	for i, v := range source.Value {
		if c.whitelist != nil && !slices.Contains(c.whitelist, v.Name) {
			continue
		}
		t, err := typeOf(v)
		if err != nil {
			return nil, nil, err
		}
		columns, picked = append(columns, sqlite.Column{Name: v.Name, Type: t}), append(picked, i)
	}
	return columns, picked, nil
}

// typeOf is SQLite's type for a column. Decimals are texts, which are exact, and so are dates and times, which SQLite has no type for.
func typeOf(c row.Column) (string, error) {
	switch c.Type.Kind {
	case row.KindBoolean, row.KindInt, row.KindBigint:
		return "INTEGER", nil
	case row.KindDouble:
		return "REAL", nil
	case row.KindString, row.KindDecimal, row.KindDate, row.KindTime, row.KindTimestamp:
		return "TEXT", nil
	case row.KindBytes:
		return "BLOB", nil
	}
	return "", refuse(propTopics, "deliver a stream or table whose columns are single values, or name others in '"+propWhitelist+"'", "column %s is %s, for which SQLite has no type", c.Name, c.Type)
}

// bound are the values of a row as the sink takes them, nil for no row.
func bound(r row.Row, schema row.Schema) []any {
	if r.IsNull() {
		return nil
	}
	out := make([]any, len(schema))
	for i, c := range schema {
		out[i] = value(r.At(i), c.Type)
	}
	return out
}

func value(v row.Value, t *row.Type) any {
	switch v.Kind() {
	case row.KindNull:
		return nil
	case row.KindBoolean:
		return v.Boolean()
	case row.KindInt, row.KindBigint:
		return v.Int64()
	case row.KindDouble:
		return v.Double()
	case row.KindBytes:
		return []byte(v.Text())
	}
	return cast.Text(v, t)
}

func namesOf(schema row.Schema) []string {
	out := make([]string, len(schema))
	for i, c := range schema {
		out[i] = c.Name
	}
	return out
}
