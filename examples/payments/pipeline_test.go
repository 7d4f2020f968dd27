package payments_test

import (
	"fmt"
	"math/rand"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/streamtest"
)

func driver(t *testing.T, opts ...streamtest.Option) *streamtest.Driver {
	t.Helper()
	topology, err := payments.Pipeline()
	if err != nil {
		t.Fatal(err)
	}
	return streamtest.New(t, topology, opts...)
}

// at is a record of a topic, at a time in milliseconds.
func at(topic string, key, value []byte, ms record.Timestamp) record.Record {
	return record.Record{TopicPartition: record.TopicPartition{Topic: topic}, Key: key, Value: value, Timestamp: ms}
}

// published returns what stands in the derived topics: common payments as "key=value", and each update of a list as "customer: ids".
func published(d *streamtest.Driver) (common, lists []string) {
	for _, r := range streamtest.NewOutput(d, payments.PaymentTopic, serde.String, serde.String).ReadAll() {
		key := r.Key
		if r.KeyNull {
			key = "null"
		}
		common = append(common, key+"="+r.Value)
	}
	for _, r := range streamtest.NewOutput(d, payments.LastFiveTopic, serde.Int64, payments.LastFiveJSON).ReadAll() {
		lists = append(lists, fmt.Sprintf("%d: %s", r.Key, ids(r.Value)))
	}
	return common, lists
}

func TestBothChannelsArriveInCommonFormAndInTheLists(t *testing.T) {
	d := driver(t)
	d.Pipe(at(payments.CardTopic, []byte("a"), []byte(card), 1))
	d.Pipe(at(payments.TransferTopic, []byte("b"), []byte(transfer), 2))
	d.Pipe(at(payments.TransferTopic, nil, []byte(strings.Replace(transfer, `"customerId":2`, `"customerId":1`, 1)), 3))
	d.Pipe(at(payments.CardTopic, []byte("a"), []byte(card), 4)) // a redelivery changes no list, so none is published
	common, lists := published(d)
	want := []string{"1: 1535331234567", "2: 9007199254740993", "1: 9007199254740993 1535331234567"}
	if diff := cmp.Diff(want, lists); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
	if len(common) != 4 || !strings.HasPrefix(common[0], `a={"trxId":1535331234567,`) || !strings.HasPrefix(common[2], "null=") {
		t.Errorf("common payments:\n%s", strings.Join(common, "\n"))
	}
}

// A record cache would merge the update of a payment with that of its redelivery, which says that nothing changed.
func TestARedeliveryHidesNoChangeFromACache(t *testing.T) {
	d := driver(t, streamtest.Cached(1<<20), streamtest.Batch(2))
	d.Pipe(at(payments.CardTopic, []byte("a"), []byte(card), 1))
	d.Pipe(at(payments.CardTopic, []byte("a"), []byte(card), 2))
	if _, lists := published(d); !cmp.Equal(lists, []string{"1: 1535331234567"}) {
		t.Errorf("lists %v", lists)
	}
}

func TestAnotherServiceMayPublishCommonPayments(t *testing.T) {
	d := driver(t)
	d.Pipe(at(payments.PaymentTopic, []byte("w"), []byte(`{"trxId":5,"trxAmount":1,"customerId":9,"trxDate":"2026-01-01T00:00:00.000","paymentType":"E_WALLET"}`), 1))
	if _, lists := published(d); !cmp.Equal(lists, []string{"9: 5"}) {
		t.Errorf("lists %v", lists)
	}
}

func TestNoDerivedTopicHoldsAFullCardNumber(t *testing.T) {
	const number = "4556737586899855"
	for _, key := range []string{number, "4556-7375-8689-9855", "order 1"} {
		d := driver(t)
		d.Pipe(at(payments.CardTopic, []byte(key), []byte(card), 1))
		for _, topic := range []string{payments.PaymentTopic, payments.LastFiveTopic} {
			for _, r := range streamtest.NewOutput(d, topic, serde.Bytes, serde.Bytes).ReadAll() {
				if text := string(r.Key) + string(r.Value); strings.Contains(strings.NewReplacer("-", "", " ", "").Replace(text), number) {
					t.Errorf("%s holds the card number: %s", topic, text)
				}
			}
		}
	}
}

func TestTheResultIsTheSameInBatchesPartitionsAndAfterRestarts(t *testing.T) {
	const n = 600
	source, err := generate.New(generate.Config{Seed: 11, Customers: 20})
	if err != nil {
		t.Fatal(err)
	}
	want := map[int64]string{}
	for id, l := range source.Expected(n) {
		want[id] = fmt.Sprint(l.Payments)
	}
	for name, opts := range map[string][]streamtest.Option{
		"one by one":   nil,
		"in batches":   {streamtest.Batch(64)},
		"4 partitions": {streamtest.Partitions(4), streamtest.Batch(7)},
	} {
		t.Run(name, func(t *testing.T) {
			d := driver(t, opts...)
			order := rand.New(rand.NewSource(5)).Perm(n)
			for place, i := range order {
				e, err := source.At(nil, int64(i))
				if err != nil {
					t.Fatal(err)
				}
				d.Pipe(at(e.Topic, []byte(e.Key), e.Value, record.Timestamp(place)))
				if place%150 == 149 {
					d.Restart()
				}
			}
			got := map[int64]string{}
			for _, r := range streamtest.NewOutput(d, payments.LastFiveTopic, serde.Int64, payments.LastFiveJSON).ReadAll() {
				got[r.Key] = fmt.Sprint(r.Value.Payments)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestABadPaymentIsNamedWithoutItsContent(t *testing.T) {
	d := driver(t)
	err := d.TryPipe(at(payments.CardTopic, nil, []byte(strings.Replace(card, "2026-08-01T", "2026-02-30T", 1)), 1))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"CC-PAYMENT", "trxDate", "a date that does not exist"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "4556737586899855") {
		t.Errorf("the error holds the card number: %v", err)
	}
}

func TestThePipelineIsShort(t *testing.T) {
	text, err := os.ReadFile("pipeline.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 80 {
		t.Errorf("pipeline.go has %d lines, promised are at most 80", n)
	}
}
