package anz_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/anz"
	"github.com/mainstemio/mainstem/examples/payments/customer"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// data returns the folder of the set, $MAINSTEM_DATA/anz-payments, by default beside the module.
func data(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MAINSTEM_DATA")
	if dir == "" {
		dir = "../../../../shared/data"
	}
	dir = filepath.Join(dir, "anz-payments")
	if _, err := os.Stat(filepath.Join(dir, "anz.csv.gz")); err != nil {
		if os.Getenv("MAINSTEM_TEST_REQUIRE") == "all" {
			t.Fatalf("the data set is required and missing: %v", err)
		}
		t.Skipf("needs the ANZ data set: set MAINSTEM_DATA to the folder that holds anz-payments (%v)", err)
	}
	return dir
}

// line is a line of a converted file.
type line struct {
	Key       string          `json:"key"`
	Value     json.RawMessage `json:"value"`
	Timestamp int64           `json:"timestamp"`
}

func convert(t *testing.T, c anz.Conversion) (cards, transfers []line) {
	t.Helper()
	c.Output = filepath.Join(t.TempDir(), "out")
	counts, err := c.Run()
	if err != nil {
		t.Fatal(err)
	}
	cards, transfers = lines(t, filepath.Join(c.Output, "cc-payment.jsonl")), lines(t, filepath.Join(c.Output, "bank-transfer-payment.jsonl"))
	if counts[payments.CardTopic] != len(cards) || counts[payments.TransferTopic] != len(transfers) {
		t.Errorf("says %v, wrote %d and %d", counts, len(cards), len(transfers))
	}
	return cards, transfers
}

func lines(t *testing.T, path string) []line {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []line
	for s := range strings.Lines(string(text)) {
		var l line
		if err := json.Unmarshal([]byte(s), &l); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "anz.csv.gz")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const header = "status,account,currency,txn_description,first_name,extraction,amount,transaction_id,customer_id,movement\n"

func TestRowsBecomePayloadsByTheRules(t *testing.T) {
	cards, transfers := convert(t, anz.Conversion{Input: gzipped(t, header+
		"authorized,ACC-1598451071,AUD,POS,Diana,2018-08-01T01:01:15.000+0000,16.25,a623070bfead4541a6b0fff8a09e706c,CUS-2487424745,debit\n"+
		"posted,ACC-588564840,AUD,INTER BANK,Isaiah,2018-08-02T10:00:00.000+0000,39,f8e19a7d0b1c4d3e8f9a0b1c2d3e4f5a,CUS-55310383,debit\n"+
		"posted,ACC-588564840,AUD,PAY/SALARY,Isaiah,2018-08-02T11:00:00.000+0000,3903.95,9ca281650e5d482d9e53f85e959baa66,CUS-55310383,credit\n")})
	want := []line{{"a623070bfead4541a6b0fff8a09e706c", json.RawMessage(`{"trxId":5985709991289856672,"trxAmount":16.25,"cardNo":"4556015984510717","cardHolder":"Diana",` +
		`"expiryDate":"2021-12-31","issuer":"ANZ","currency":"AUD","customerId":2487424745,"trxDate":"2018-08-01T01:01:15.000"}`), 1533085275000}}
	if diff := cmp.Diff(want, cards); diff != "" {
		t.Errorf("cards (-want +got):\n%s", diff)
	}
	want = []line{{"f8e19a7d0b1c4d3e8f9a0b1c2d3e4f5a", json.RawMessage(`{"trxId":8966892526507009695,"trxAmount":39,"accountNo":"588564840","accountName":"Isaiah","bankName":"ANZ",` +
		`"referenceNo":"f8e19a7d0b1c4d3e8f9a0b1c2d3e4f5a","currency":"AUD","customerId":55310383,"trxDate":"2018-08-02T10:00:00.000"}`), 1533204000000}}
	if diff := cmp.Diff(want, transfers); diff != "" {
		t.Errorf("transfers (-want +got):\n%s", diff)
	}
}

func TestRowsThatBreakTheRulesAreNamed(t *testing.T) {
	const good = "posted,ACC-1,AUD,PAYMENT,A,2018-08-02T10:00:00.000+0000,39,f8e19a7d0b1c4d3e8f9a0b1c2d3e4f5a,CUS-5,debit\n"
	for want, spoilt := range map[string]string{
		"is not ACC- and up":       strings.Replace(good, "ACC-1", "ACC-123456789012", 1),
		"is not CUS- and a number": strings.Replace(good, "CUS-5", "5", 1),
		"is not in UTC":            strings.Replace(good, "+0000", "+1000", 1),
		"does not exist":           strings.Replace(good, "08-02", "02-30", 1),
		"not a decimal number":     strings.Replace(good, ",39,", ",$39,", 1),
		"is not hexadecimal":       strings.Replace(good, "f8e1", "zzzz", 1),
		"same first 63 bits":       good + good,
	} {
		_, err := anz.Conversion{Input: gzipped(t, header+spoilt), Output: t.TempDir()}.Run()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	_, err := anz.Conversion{Input: gzipped(t, "a,b\n"), Output: t.TempDir()}.Run()
	if err == nil || !strings.Contains(err.Error(), "no column") {
		t.Errorf("other columns: %v", err)
	}
}

func TestTheWholeSet(t *testing.T) {
	in := filepath.Join(data(t), "anz.csv.gz")
	cards, transfers := convert(t, anz.Conversion{Input: in})
	if len(cards) != 7717 || len(transfers) != 3443 {
		t.Errorf("%d card payments and %d transfers, want 7717 and 3443", len(cards), len(transfers))
	}
	if !slices.IsSortedFunc(cards, func(a, b line) int { return int(a.Timestamp - b.Timestamp) }) {
		t.Error("not in the set's order")
	}
	shuffled, _ := convert(t, anz.Conversion{Input: in, Shuffle: 1})
	again, _ := convert(t, anz.Conversion{Input: in, Shuffle: 1})
	same := func(a, b line) bool { return a.Key == b.Key }
	if !slices.EqualFunc(shuffled, again, same) || slices.EqualFunc(shuffled, cards, same) {
		t.Error("a shuffle must be another order, and the same for a seed")
	}
}

// TestLastFiveOfTheWholeSetInAnyOrder runs the whole system: producers over the wire, broker, pipeline, sink, database.
func TestLastFiveOfTheWholeSetInAnyOrder(t *testing.T) {
	dir := data(t)
	for name, order := range map[string]struct {
		shuffle      uint64
		channelFirst bool
	}{"as in the set": {}, "shuffle 1": {shuffle: 1}, "shuffle 2": {shuffle: 2}, "shuffle 3": {shuffle: 3}, "one channel first": {channelFirst: true}} {
		t.Run(name, func(t *testing.T) {
			cards, transfers := convert(t, anz.Conversion{Input: filepath.Join(dir, "anz.csv.gz"), Shuffle: order.shuffle})
			records := append(produced(payments.TransferTopic, transfers), produced(payments.CardTopic, cards)...)
			if !order.channelFirst {
				rand.New(rand.NewSource(9)).Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
			}
			database := filepath.Join(t.TempDir(), "customer.db")
			run(t, database, records)
			count, err := anz.Check(context.Background(), database, filepath.Join(dir, "expected-last5.jsonl"))
			if err != nil || count != (anz.Count{Customers: 100, Rows: 500}) {
				t.Errorf("%+v, %v", count, err)
			}
		})
	}
}

func produced(topic string, lines []line) []*kgo.Record {
	records := make([]*kgo.Record, len(lines))
	for i, l := range lines {
		records[i] = &kgo.Record{Topic: topic, Key: []byte(l.Key), Value: l.Value, Timestamp: time.UnixMilli(l.Timestamp)}
	}
	return records
}

// run publishes the records to a node with the pipeline and the sink, and waits until the database is current.
func run(t *testing.T, database string, records []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	node, err := mainstem.Open(ctx, t.TempDir(), mainstem.WithKafka(listener))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	}()
	pipeline, err := payments.Pipeline()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Run(pipeline); err != nil {
		t.Fatal(err)
	}
	sink, err := customer.NewSink(database)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Deliver(mainstem.DeliverySpec{Sink: sink, Topics: []string{payments.LastFiveTopic}}); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(node.Kafka()), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := node.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

func deliver(t *testing.T, database string, lists map[int64]payments.LastFive) {
	t.Helper()
	sink, err := customer.NewSink(database)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	if _, err := sink.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	tp := record.TopicPartition{Topic: payments.LastFiveTopic}
	var b connect.Batch
	for id, l := range lists {
		k, _ := serde.Int64.Append(nil, id)
		v, err := payments.LastFiveJSON.Append(nil, l)
		if err != nil {
			t.Fatal(err)
		}
		b.Records = append(b.Records, record.Record{TopicPartition: tp, Offset: record.Offset(len(b.Records)), Key: k, Value: v})
	}
	b.Positions = map[record.TopicPartition]connect.Position{tp: {Offset: record.Offset(len(b.Records))}}
	if err := sink.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

func TestCheckFindsEveryDifference(t *testing.T) {
	expected := filepath.Join(t.TempDir(), "expected.jsonl")
	answer := `{"customer_id":"CUS-7","payments":[{"transaction_id":"00000000000000040000000000000000","trx_date":"1970-01-01T00:00:01.000+0000","amount":"12.5","payment_type":"BANK_TRF","txn_description":"PAYMENT"}]}` + "\n"
	if err := os.WriteFile(expected, []byte(answer), 0o600); err != nil {
		t.Fatal(err)
	}
	right := payments.BankTransfer{TrxID: 2, CustomerID: 7, TrxDate: 1000}
	if err := right.TrxAmount.UnmarshalText([]byte("12.50")); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(b *payments.BankTransfer){
		"": func(*payments.BankTransfer) {}, "id": func(b *payments.BankTransfer) { b.TrxID++ }, "date": func(b *payments.BankTransfer) { b.TrxDate++ },
		"customer": func(b *payments.BankTransfer) { b.CustomerID++ }, "amount": func(b *payments.BankTransfer) { _ = b.TrxAmount.UnmarshalText([]byte("12.501")) },
	} {
		b := right
		spoil(&b)
		l, _ := payments.LastFive{}.Add(b.Common())
		database := filepath.Join(t.TempDir(), "customer.db")
		deliver(t, database, map[int64]payments.LastFive{b.CustomerID: l})
		_, err := anz.Check(context.Background(), database, expected)
		if (err == nil) != (name == "") {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if _, err := anz.Check(context.Background(), filepath.Join(t.TempDir(), "none.db"), expected); err == nil {
		t.Error("a missing database equals the answer")
	}
}
