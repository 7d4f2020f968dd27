package connectors_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/connector/poll"
	"github.com/mainstemio/mainstem/internal/sql/connectors"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	"github.com/mainstemio/mainstem/record"
)

const accounts = `
CREATE TABLE accounts (id BIGINT PRIMARY KEY, name VARCHAR, balance DECIMAL(10,2), born DATE, open BOOLEAN) WITH (kafka_topic='accounts', format='JSON', partitions=1);
CREATE STREAM clicks (page VARCHAR) WITH (kafka_topic='clicks', value_format='JSON', partitions=1);
CREATE STREAM tagged (id VARCHAR KEY, tags ARRAY<VARCHAR>, n INT) WITH (kafka_topic='tagged', value_format='JSON', partitions=1);
CREATE TABLE hourly (id VARCHAR PRIMARY KEY, n BIGINT) WITH (kafka_topic='hours', value_format='JSON', partitions=1, window_type='TUMBLING', window_size='1 HOUR');
`

// A held sink is one that would run.
type held struct {
	connect.Sink
	topic   string
	stopped bool
	err     error
}

func (h *held) Stop() error              { h.stopped = true; return h.err }
func (h *held) Err() error               { return h.err }
func (h *held) Progress() (int64, int64) { return 3, 4 }

// world has a session's sources with connectors that deliver to nobody.
type world struct {
	*trial.Trial
	made   *connectors.Connectors
	sinks  []*held
	polled []*poll.Poller
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{}
	w.made = connectors.New(connectors.Options{Deliver: func(s connect.Sink, topic, _ string) (connectors.Delivery, error) {
		h := &held{Sink: s, topic: topic}
		w.sinks = append(w.sinks, h)
		return h, nil
	}, Poll: func(name string, p *poll.Poller) (connectors.Delivery, error) {
		w.polled = append(w.polled, p)
		return &held{topic: name}, nil
	}})
	w.Trial = trial.New(trial.Options{Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}), Connectors: w.made})
	if _, err := w.Exec(t.Context(), accounts, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// write delivers records to a sink as the runner would.
func (h *held) write(t *testing.T, records ...record.Record) {
	t.Helper()
	ctx := context.Background()
	if _, err := h.Open(ctx); err != nil {
		t.Fatal(err)
	}
	tp := record.TopicPartition{Topic: h.topic}
	for i := range records {
		records[i].TopicPartition, records[i].Offset = tp, record.Offset(i)
	}
	err := h.Sink.Write(ctx, connect.Batch{Records: records, Positions: map[record.TopicPartition]connect.Position{tp: {Offset: record.Offset(len(records))}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

func rows(t *testing.T, path, query string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var out []string
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	return out
}

func TestATopicBecomesATable(t *testing.T) {
	for name, config := range map[string]string{
		"our own class": `'connector.class'='sqlite', 'topics'='accounts', 'path'='PATH', 'pk.fields'='nr', 'table.name.format'='t_${topic}'`,
		"the JDBC sink's": `'connector.class'='io.confluent.connect.jdbc.JdbcSinkConnector', 'topics'='accounts', 'connection.url'='jdbc:sqlite:PATH', 'tasks.max'='1',
			'insert.mode'='upsert', 'pk.mode'='record_key', 'pk.fields'='nr', 'delete.enabled'='true', 'auto.create'='true', 'table.name.format'='t_${topic}',
			'key.converter'='org.apache.kafka.connect.json.JsonConverter', 'key.converter.schemas.enable'='false'`,
	} {
		t.Run(name, func(t *testing.T) {
			w, path := open(t), filepath.Join(t.TempDir(), "a.db")
			if _, err := w.Exec(t.Context(), "CREATE SINK CONNECTOR c WITH ("+strings.ReplaceAll(config, "PATH", path)+");", nil); err != nil {
				t.Fatal(err)
			}
			w.sinks[0].write(t,
				record.Record{Key: []byte(`1`), Value: []byte(`{"NAME":"Ada","BALANCE":12.50,"BORN":0,"OPEN":true}`)},
				record.Record{Key: []byte(`2`), Value: []byte(`{"NAME":"Bob"}`)},
				record.Record{Key: []byte(`3`), Value: []byte(`{"NAME":"Cid"}`)},
				record.Record{Key: []byte(`3`)},
				record.Record{Key: []byte(`2`), Value: []byte(`{"NAME":"Bea","OPEN":false}`)},
			)
			got := rows(t, path, `SELECT nr || ' ' || NAME || ' ' || coalesce(BALANCE, '-') || ' ' || coalesce(BORN, '-') || ' ' || OPEN FROM t_accounts ORDER BY nr`)
			if want := []string{"1 Ada 12.50 1970-01-01 1", "2 Bea - - 0"}; !slices.Equal(got, want) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestWindowsArePartOfTheKey(t *testing.T) {
	w, path := open(t), filepath.Join(t.TempDir(), "a.db")
	if _, err := w.Exec(t.Context(), "CREATE SINK CONNECTOR c WITH ('connector.class'='sqlite', 'topics'='hours', 'path'='"+path+"');", nil); err != nil {
		t.Fatal(err)
	}
	w.sinks[0].write(t, record.Record{Key: []byte("a\x00\x00\x00\x00\x00\x36\xee\x80"), Value: []byte(`{"N":7}`)})
	if got := rows(t, path, `SELECT ID || ' ' || WINDOWSTART || ' ' || WINDOWEND || ' ' || N FROM hours`); !slices.Equal(got, []string{"a 3600000 7200000 7"}) {
		t.Errorf("%q", got)
	}
}

func TestWhatASinkDoesNotDoIsAnError(t *testing.T) {
	const own = "'connector.class'='sqlite', 'path'='a.db', "
	for config, want := range map[string]string{
		"'topics'='accounts'": "it has no 'connector.class'",
		"'connector.class'='org.example.S3Sink', 'topics'='accounts'": "there is no class 'org.example.S3Sink'",
		"'connector.class'='sqlite', 'topics'='accounts'":             "'path' is missing",
		own + "'topics'=''":                                   "it names no topic",
		own + "'topics'='nobody'":                             "there is no stream or table on topic nobody",
		own + "'topics'='clicks'":                             "stream CLICKS has no key",
		own + "'topics'='tagged'":                             "column TAGS is ARRAY<STRING>",
		own + "'topics'='tagged', 'fields.whitelist'='N,M'":   "TAGGED has no column M",
		own + "'topics'='accounts', 'pk.fields'='a,b'":        "has the 1 columns ID",
		own + "'topics'='accounts', 'pk.mode'='record_value'": "'record_value' is not what the sink does",
		own + "'topics'='accounts', 'insert.mode'='insert'":   "which is 'upsert'",
		own + "'topics'='accounts', 'transforms'='unwrap'":    "it is no property of this sink",
		own + "'topics'='accounts', 'pk.field'='id'":          "did you mean pk.fields?",
		own + "'topics'='accounts', 'busy.timeout.ms'='soon'": "no number of milliseconds",
		"'connector.class'='io.confluent.connect.jdbc.JdbcSinkConnector', 'topics'='accounts', 'connection.url'='jdbc:sqlite:a.db'":                                                                                              "the default of 'insert.mode' is not what the sink does",
		"'connector.class'='io.confluent.connect.jdbc.JdbcSinkConnector', 'topics'='accounts', 'connection.url'='jdbc:mysql://x', 'insert.mode'='upsert', 'pk.mode'='record_key', 'delete.enabled'='true', 'auto.create'='true'": "no database of SQLite",
	} {
		_, err := open(t).Exec(t.Context(), "CREATE SINK CONNECTOR c WITH ("+config+");", nil)
		var failed *session.StatementError
		if !errors.As(err, &failed) || failed.Code != string(session.CodeConnector) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func TestAConnectorTellsHowItDoes(t *testing.T) {
	w := open(t)
	const create = "CREATE SINK CONNECTOR c WITH ('connector.class'='sqlite', 'path'='a.db', 'topics'='accounts,tagged', 'fields.whitelist'='N,NAME');"
	if _, err := w.Exec(t.Context(), create, nil); err == nil {
		t.Fatal("columns that one of the sources does not have are taken")
	}
	const other = "CREATE SINK CONNECTOR c WITH ('connector.class'='sqlite', 'path'='a.db', 'topics'='accounts,hours'); DESCRIBE CONNECTOR c;"
	results, err := w.Exec(t.Context(), other, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := results[1].Shows.(session.ConnectorDescription)
	if d.Status != (session.ConnectorStatus{State: session.Running, Delivered: 6, Lag: 8}) || len(d.Sources) != 2 {
		t.Errorf("%+v", d)
	}
	w.sinks[1].err = connect.ErrFenced
	results, err = w.Exec(t.Context(), "LIST SINK CONNECTORS; DROP CONNECTOR c; LIST CONNECTORS;", nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := results[0].Shows.(session.ConnectorList).Connectors[0].Status; s.State != session.Failed || !errors.Is(s.Err, connect.ErrFenced) {
		t.Errorf("%+v", s)
	}
	if n := len(results[2].Shows.(session.ConnectorList).Connectors); n != 0 || !w.sinks[0].stopped || !w.sinks[1].stopped {
		t.Errorf("%d connectors; stopped %t %t", n, w.sinks[0].stopped, w.sinks[1].stopped)
	}
}

func TestSourceConnectors(t *testing.T) {
	const jdbc = "'connector.class'='io.confluent.connect.jdbc.JdbcSourceConnector', 'connection.url'='jdbc:sqlite:a.db', "
	const own, bulk = "'connector.class'='sqlite', 'path'='a.db', ", "'mode'='bulk', "
	for config, want := range map[string]string{
		own + bulk + "'table.include.list'='a, b', 'topic.prefix'='db-'":                                                                                          "",
		jdbc + "'mode'='incrementing', 'incrementing.column.name'='id', 'table.whitelist'='a', 'tasks.max'='1', 'value.converter'='x'":                            "",
		jdbc + "'mode'='timestamp+incrementing', 'incrementing.column.name'='id', 'timestamp.column.name'='at', 'query'='SELECT 1', 'topic.prefix'='q'":           "",
		own + "'mode'='timestamp', 'timestamp.column.name'='at', 'table.include.list'='a', 'poll.interval.ms'='100', 'batch.max.rows'='5', 'busy.timeout.ms'='0'": "",
		"'mode'='bulk'": "it has no 'connector.class'",
		"'connector.class'='org.example.S3Source'":                                      "there is no class 'org.example.S3Source' of sources",
		"'connector.class'='sqlite', 'mode'='bulk', 'table.include.list'='a'":           "'path' is missing",
		own + "'table.include.list'='a'":                                                "it has no 'mode'",
		own + "'mode'='often', 'table.include.list'='a'":                                "there is no 'often'",
		own + bulk + "'topic.prefix'='x'":                                               "neither tables nor a query",
		own + bulk + "'query'='SELECT 1'":                                               "the topic of a query is the 'topic.prefix'",
		own + bulk + "'query'='SELECT 1', 'topic.prefix'='q', 'table.include.list'='a'": "do not go together",
		own + bulk + "'table.include.list'='a', 'incrementing.column.name'='id'":        "do not go together",
		own + "'mode'='incrementing', 'table.include.list'='a'":                         "do not go together",
		own + bulk + "'table.include.list'='a', 'poll.interval.ms'='0'":                 "no whole number from 1",
		own + bulk + "'table.include.list'='a', 'table.include.lst'='b'":                "did you mean table.include.list?",
	} {
		w := open(t)
		_, err := w.Exec(t.Context(), "CREATE SOURCE CONNECTOR c WITH ("+config+");", nil)
		var failed *session.StatementError
		switch {
		case want == "" && (err != nil || len(w.polled) != 1):
			t.Errorf("%s: %v", config, err)
		case want != "" && (!errors.As(err, &failed) || failed.Code != string(session.CodeConnector) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

func TestASourceTellsHowItDoes(t *testing.T) {
	w := open(t)
	results, err := w.Exec(t.Context(), `CREATE SOURCE CONNECTOR c WITH ('connector.class'='sqlite', 'path'='a.db', 'mode'='bulk', 'table.include.list'='a');
		DESCRIBE CONNECTOR c; LIST SOURCE CONNECTORS; LIST SINK CONNECTORS; DROP CONNECTOR c; LIST CONNECTORS;`, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := results[1].Shows.(session.ConnectorDescription)
	if d.Sink || d.Status.State != session.Running || d.Status.Delivered != 3 {
		t.Errorf("%+v", d)
	}
	for i, want := range map[int]int{2: 1, 3: 0, 5: 0} {
		if n := len(results[i].Shows.(session.ConnectorList).Connectors); n != want {
			t.Errorf("statement %d shows %d connectors, want %d", i+1, n, want)
		}
	}
}
