// Package paymentssql tests the pipeline of payments.sql beside the one in Go.
package paymentssql

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/anz"
	"github.com/mainstemio/mainstem/examples/payments/customer"
	"github.com/mainstemio/mainstem/internal/cli"
	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/row"
)

// patience bounds the wait for anything.
const patience = 2 * time.Minute

func script(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("payments.sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestThePipelineIsShort(t *testing.T) {
	lines := 0
	for line := range strings.Lines(script(t)) {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	if lines > 30 {
		t.Errorf("%d lines", lines)
	}
}

func TestStatements(t *testing.T) {
	var out bytes.Buffer
	if code := cli.Run(t.Context(), cli.Env{In: strings.NewReader(""), Out: &out, Err: &out}, []string{"test", "."}); code != 0 {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
	if !strings.Contains(out.String(), "ok    test/last-five\n") || !strings.HasSuffix(out.String(), " ok, 0 failed\n") {
		t.Error(out.String())
	}
}

// A place is where the pipeline runs, and the prefix of its topics there.
type place struct {
	node   *mainstem.Node
	prefix string
}

func open(t *testing.T, opts ...mainstem.Option) *mainstem.Node {
	t.Helper()
	node, err := mainstem.Open(t.Context(), t.TempDir(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return node
}

func embedded(t *testing.T) place {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return place{node: open(t, mainstem.WithKafka(listener))}
}

// cluster is a node whose topics are on another machine.
func cluster(t *testing.T) place {
	t.Helper()
	return place{node: open(t, mainstem.WithBroker("kafka://"+embedded(t).node.Kafka()), mainstem.WithSQL())}
}

// apache is a node on Apache Kafka. What an earlier run left there is deleted.
func apache(t *testing.T) place {
	t.Helper()
	address := need.Env(t, "MAINSTEM_KAFKA", "host:port of an Apache Kafka")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const prefix = "payments-sql-"
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	internal := func(name string) bool { return name == "_mainstem_sql" || strings.HasPrefix(name, "_mainstem_sql_") } // of no other service
	old := slices.DeleteFunc(topics.Names(), func(name string) bool { return !internal(name) && !strings.HasPrefix(name, prefix) })
	for len(old) > 0 { // until it no longer shows them: its answer may come before
		if _, err := admin.DeleteTopics(ctx, old...); err != nil {
			t.Fatal(err)
		}
		shown, err := admin.ListTopics(ctx)
		if err != nil {
			t.Fatal(err)
		}
		old = slices.DeleteFunc(old, func(name string) bool { return !shown.Has(name) })
	}
	groups, err := admin.ListGroups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups.Groups() {
		if internal(g) {
			if _, err := admin.DeleteGroups(ctx, g); err != nil {
				t.Fatal(err)
			}
		}
	}
	return place{open(t, mainstem.WithBroker("kafka://"+address), mainstem.WithSQL()), prefix}
}

// A line is a record of the converted set.
type line struct {
	Key       string
	Value     json.RawMessage
	Timestamp int64
}

// produced returns the records of both channels: in the order of their times, or with a seed in an order that it draws.
func produced(t *testing.T, seed uint64, prefix string) []*kgo.Record {
	t.Helper()
	data := need.Folder(t, "MAINSTEM_DATA", "../../../shared/data")
	dir := t.TempDir()
	if _, err := (anz.Conversion{Input: filepath.Join(data, "anz-payments", "anz.csv.gz"), Output: dir, Shuffle: seed}).Run(); err != nil {
		t.Fatal(err)
	}
	var out []*kgo.Record
	for topic, file := range map[string]string{payments.TransferTopic: "bank-transfer-payment.jsonl", payments.CardTopic: "cc-payment.jsonl"} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var l line
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				t.Fatal(err)
			}
			out = append(out, &kgo.Record{Topic: prefix + topic, Key: []byte(l.Key), Value: l.Value, Timestamp: time.UnixMilli(l.Timestamp)})
		}
	}
	slices.SortStableFunc(out, func(a, b *kgo.Record) int {
		if c := a.Timestamp.Compare(b.Timestamp); c != 0 {
			return c
		}
		return strings.Compare(string(a.Key), string(b.Key))
	})
	if seed > 0 {
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// deliver publishes the records and waits until the database of the Customer Service is current.
func (p place) deliver(t *testing.T, database string, records []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sink, err := customer.NewSink(database)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.node.Deliver(mainstem.DeliverySpec{Sink: sink, Topics: []string{p.prefix + payments.LastFiveTopic}}); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(p.node.Kafka(), ",")...), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("publish: %v", err)
	}
	if err := p.node.Settle(ctx); err != nil {
		t.Fatalf("settle: %v", err)
	}
}

// inGo is what the pipeline in Go makes of the payments.
func inGo(t *testing.T) []string {
	t.Helper()
	p := embedded(t)
	pipeline, err := payments.Pipeline()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.node.Run(pipeline); err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(t.TempDir(), "customer.db")
	p.deliver(t, database, produced(t, 0, ""))
	rows := lists(t, database)
	if len(rows) != 500 {
		t.Fatalf("the pipeline in Go gives %d rows", len(rows))
	}
	return rows
}

// execute runs payments.sql, its topics with the place's prefix.
func (p place) execute(t *testing.T) {
	t.Helper()
	text := script(t)
	for _, topic := range []string{payments.CardTopic, payments.TransferTopic, payments.PaymentTopic, payments.LastFiveTopic} {
		text = strings.ReplaceAll(text, "'"+topic+"'", "'"+p.prefix+topic+"'")
	}
	if _, err := p.node.SQL(t.Context(), text, nil); err != nil {
		t.Fatal(err)
	}
}

// lists are all rows of a database. Amounts are numbers: the one of SQL has two digits behind the point.
func lists(t *testing.T, database string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+database+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT customer_id, position, trx_id, trx_amount, trx_date, payment_type, account_no,
		account_name, bank_name, reference_no, currency FROM last_payments ORDER BY customer_id, position`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		cells := make([]sql.NullString, 11)
		into := make([]any, len(cells))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		amount, err := row.ParseDecimal(cells[3].String)
		if err != nil {
			t.Fatal(err)
		}
		cells[3].String = fmt.Sprintf("%.4f", amount.Float64())
		out = append(out, fmt.Sprint(cells))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTheSameDatabaseAsThePipelineInGo compares every column of every row, for the payments in their order and in others.
func TestTheSameDatabaseAsThePipelineInGo(t *testing.T) {
	want := inGo(t)
	for _, tt := range []struct {
		name  string
		where func(*testing.T) place
		seed  uint64
	}{
		{"embedded", embedded, 0},
		{"embedded, shuffle 7", embedded, 7},
		{"embedded, shuffle 8", embedded, 8},
		{"embedded, shuffle 9", embedded, 9},
		{"cluster", cluster, 0},
		{"Apache Kafka", apache, 0},
		{"Apache Kafka, shuffle 7", apache, 7},
		{"Apache Kafka, shuffle 8", apache, 8},
		{"Apache Kafka, shuffle 9", apache, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.where(t)
			p.execute(t)
			database := filepath.Join(t.TempDir(), "customer.db")
			p.deliver(t, database, produced(t, tt.seed, p.prefix))
			compare(t, lists(t, database), want)
			expected := filepath.Join(need.Folder(t, "MAINSTEM_DATA", "../../../shared/data"), "anz-payments", "expected-last5.jsonl")
			if count, err := anz.Check(t.Context(), database, expected); err != nil || count != (anz.Count{Customers: 100, Rows: 500}) {
				t.Errorf("%+v, %v", count, err)
			}
		})
	}
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s\nwant\n%s", got[i], want[i])
		}
	}
}

// TestARestartInTheMiddle closes the node when half of the payments are in the database. The next one goes on by itself.
func TestARestartInTheMiddle(t *testing.T) {
	want := inGo(t)
	dir, database := t.TempDir(), filepath.Join(t.TempDir(), "customer.db")
	broker := embedded(t)
	for name, options := range map[string]func() []mainstem.Option{
		"embedded": func() []mainstem.Option {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return []mainstem.Option{mainstem.WithKafka(listener)}
		},
		"cluster": func() []mainstem.Option {
			return []mainstem.Option{mainstem.WithBroker("kafka://" + broker.node.Kafka()), mainstem.WithSQL()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			records := produced(t, 7, "") // its own: a client marks what it has published
			for half, part := range [][]*kgo.Record{records[:len(records)/2], records[len(records)/2:]} {
				node, err := mainstem.Open(t.Context(), filepath.Join(dir, name), options()...)
				if err != nil {
					t.Fatal(err)
				}
				p := place{node: node}
				if half == 0 {
					p.execute(t)
				}
				p.deliver(t, database+name, part)
				if err := node.Close(); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, lists(t, database+name), want)
		})
	}
}
