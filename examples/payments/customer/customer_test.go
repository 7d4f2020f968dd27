package customer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/customer"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

// desk is a sink being written by hand and a service reading beside it.
type desk struct {
	t    *testing.T
	sink connect.Sink
	next record.Offset
	web  *httptest.Server
}

func newService(t *testing.T, path string) *httptest.Server {
	t.Helper()
	s, err := customer.NewService(path, func(err error) { t.Errorf("service: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return web
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "customer.db")
	sink, err := customer.NewSink(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() })
	return &desk{t: t, sink: sink, web: newService(t, path)}
}

func (d *desk) write(key int64, value []byte) error {
	k, _ := serde.Int64.Append(nil, key)
	tp := record.TopicPartition{Topic: payments.LastFiveTopic}
	b := connect.Batch{
		Records:   []record.Record{{TopicPartition: tp, Offset: d.next, Key: k, Value: value}},
		Positions: map[record.TopicPartition]connect.Position{tp: {Offset: d.next + 1}},
	}
	err := d.sink.Write(context.Background(), b)
	if err == nil {
		d.next++
	}
	return err
}

// publish delivers a customer's list of n payments, the newest with id n.
func (d *desk) publish(id int64, n int) {
	d.t.Helper()
	if err := d.write(id, encoded(d.t, list(d.t, id, n))); err != nil {
		d.t.Fatal(err)
	}
}

func list(t *testing.T, id int64, n int) payments.LastFive {
	t.Helper()
	var l payments.LastFive
	for i := 1; i <= n; i++ {
		amount, err := row.ParseDecimal(fmt.Sprintf("%d000.50", i))
		if err != nil {
			t.Fatal(err)
		}
		p := payments.CardPayment{TrxID: int64(i), TrxAmount: amount, CardNo: "4556737586899855", CardHolder: "<b>Fowler & Sons</b>", Issuer: "DUKE BANK", CustomerID: id, TrxDate: payments.Date(1000 * i)}
		l, _ = l.Add(p.Common())
	}
	return l
}

func encoded(t *testing.T, l payments.LastFive) []byte {
	t.Helper()
	b, err := payments.LastFiveJSON.Append(nil, l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	status, body, header, err := tryGet(url)
	if err != nil {
		t.Fatal(err)
	}
	return status, body, header
}

func tryGet(url string) (int, string, http.Header, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), resp.Header, err
}

func TestLastPaymentsOfACustomer(t *testing.T) {
	d := newDesk(t)
	d.publish(7, 6)
	status, body, header := get(t, d.web.URL+"/customers/7/payments")
	if status != 200 || header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, %s", status, header.Get("Content-Type"))
	}
	got, err := payments.LastFiveJSON.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fmt.Sprint(list(t, 7, 6)), fmt.Sprint(got)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(body, `"trxAmount":6000.50,`) {
		t.Errorf("the amount is not exact: %s", body)
	}
}

func TestAShorterListReplacesALongerOne(t *testing.T) {
	d := newDesk(t)
	d.publish(7, 5)
	d.publish(7, 2)
	_, body, _ := get(t, d.web.URL+"/customers/7/payments")
	if got, err := payments.LastFiveJSON.Decode([]byte(body)); err != nil || len(got.Payments) != 2 {
		t.Errorf("%s, %v", body, err)
	}
	if err := d.write(7, nil); err != nil { // tombstone
		t.Fatal(err)
	}
	if status, body, _ := get(t, d.web.URL+"/customers/7/payments"); status != 404 {
		t.Errorf("after a tombstone: %d %s", status, body)
	}
}

func TestUnknownAndMalformedCustomers(t *testing.T) {
	d := newDesk(t)
	d.publish(7, 1)
	for path, want := range map[string]string{
		"/customers/8/payments":                    `404 application/json {"error":"there are no payments of customer 8"}`,
		"/customers/x/payments":                    `400 application/json {"error":"a customer id is a 64-bit integer"}`,
		"/customers/99999999999999999999/payments": `400 application/json {"error":"a customer id is a 64-bit integer"}`,
		"/customers/7":                             `404 text/plain; charset=utf-8 404 page not found`,
	} {
		status, body, header := get(t, d.web.URL+path)
		if got := fmt.Sprintf("%d %s %s", status, header.Get("Content-Type"), strings.TrimSpace(body)); got != want {
			t.Errorf("%s: got %s", path, got)
		}
	}
}

func TestThePageShowsAllAndEscapes(t *testing.T) {
	d := newDesk(t)
	d.publish(7, 6)
	d.publish(8, 1)
	status, body, _ := get(t, d.web.URL+"/")
	for _, want := range []string{"/customers/7/payments", "/customers/8/payments", "455673******9855", "1970-01-01T00:00:06.000", "6000.50", "&lt;b&gt;Fowler &amp; Sons&lt;/b&gt;"} {
		if !strings.Contains(body, want) {
			t.Errorf("missing %s", want)
		}
	}
	if status != 200 || strings.Contains(body, "<b>") || strings.Contains(body, "4556737586899855") {
		t.Errorf("status %d, unescaped or unmasked:\n%s", status, body)
	}
}

func TestThePageGoesOnBeyondItsFirstCustomers(t *testing.T) {
	d := newDesk(t)
	for id := range int64(60) {
		d.publish(id, 5)
	}
	_, first, _ := get(t, d.web.URL+"/")
	_, second, _ := get(t, d.web.URL+"/?from=50")
	if n := strings.Count(first, "<h2>"); n != 50 || !strings.Contains(first, `href="/?from=50"`) {
		t.Errorf("first page: %d customers", n)
	}
	if n := strings.Count(second, "<h2>"); n != 10 || strings.Contains(second, "more customers") || !strings.Contains(second, "first customers") {
		t.Errorf("second page: %d customers", n)
	}
	if status, _, _ := get(t, d.web.URL+"/?from=x"); status != 400 {
		t.Errorf("bad from: %d", status)
	}
}

func TestBeforeThereIsADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "customer.db")
	web := newService(t, path)
	if status, body, _ := get(t, web.URL+"/"); status != 200 || !strings.Contains(body, "No payments yet") {
		t.Errorf("page: %d %s", status, body)
	}
	if status, _, _ := get(t, web.URL+"/customers/1/payments"); status != 404 {
		t.Errorf("customer: %d", status)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the service made the file, which is the sink's to make")
	}
	sink, err := customer.NewSink(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, sink: sink}
	d.publish(1, 1)
	if status, body, _ := get(t, web.URL+"/customers/1/payments"); status != 200 {
		t.Errorf("once it is there: %d %s", status, body)
	}
	_ = sink.Close() // the sink is gone, the file is closed: the service goes on
	if status, body, _ := get(t, web.URL+"/customers/1/payments"); status != 200 {
		t.Errorf("without the sink: %d %s", status, body)
	}
}

func TestCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "customer.db")
	s, err := customer.NewService(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if customers, rows, err := s.Count(context.Background()); customers != 0 || rows != 0 || err != nil {
		t.Errorf("without a database: %d, %d, %v", customers, rows, err)
	}
	sink, err := customer.NewSink(path)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	if _, err := sink.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, sink: sink}
	d.publish(1, 5)
	d.publish(2, 1)
	if customers, rows, err := s.Count(context.Background()); customers != 2 || rows != 6 || err != nil {
		t.Errorf("%d customers, %d rows, %v", customers, rows, err)
	}
}

func TestReadersSeeWholeListsWhileTheSinkWrites(t *testing.T) {
	d := newDesk(t)
	d.publish(7, 5)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				status, body, _, err := tryGet(d.web.URL + "/customers/7/payments")
				got, derr := payments.LastFiveJSON.Decode([]byte(body))
				if err != nil || status != 200 || derr != nil || int(got.Payments[0].TrxID) < len(got.Payments) || len(got.Payments) != min(5, int(got.Payments[0].TrxID)) {
					t.Errorf("torn or failed: %v %d %s", err, status, body)
					return
				}
			}
		})
	}
	for i := range 200 {
		d.publish(7, 1+i%9)
	}
	close(stop)
	readers.Wait()
}

func TestAListThatBreaksTheRulesIsNamed(t *testing.T) {
	d := newDesk(t)
	six := list(t, 7, 5)
	six.Payments = append(six.Payments, six.Payments[0])
	for name, value := range map[string][]byte{"another customer's": encoded(t, list(t, 8, 1)), "six payments": encoded(t, six), "no JSON": []byte("{")} {
		err := d.write(7, value)
		if err == nil || !strings.Contains(err.Error(), "PAYMENT-TRX-AGGR/0 at offset 0") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkSink(b *testing.B) {
	for _, customers := range []int{100, 20_000} {
		b.Run(fmt.Sprint("customers=", customers), func(b *testing.B) { benchmarkSink(b, customers) })
	}
}

// benchmarkSink writes batches of lists of five. Of the lists of one customer in a batch only the last is written.
func benchmarkSink(b *testing.B, customers int) {
	t := &testing.T{}
	sink, err := customer.NewSink(filepath.Join(b.TempDir(), "customer.db"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := sink.Open(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	const perBatch = 2000
	values := make([][]byte, customers)
	keys := make([][]byte, customers)
	for i := range values {
		values[i] = encoded(t, list(t, int64(i), 5))
		keys[i], _ = serde.Int64.Append(nil, int64(i))
	}
	tp := record.TopicPartition{Topic: payments.LastFiveTopic}
	at := record.Offset(0)
	for b.Loop() {
		batch := connect.Batch{Positions: map[record.TopicPartition]connect.Position{tp: {Offset: at + perBatch}}}
		for range perBatch {
			i := int(at*7919) % customers
			batch.Records = append(batch.Records, record.Record{TopicPartition: tp, Offset: at, Key: keys[i], Value: values[i]})
			at++
		}
		if err := sink.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(at)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(at)/perBatch*float64(min(customers, perBatch))*5/b.Elapsed().Seconds(), "rows/s")
}
