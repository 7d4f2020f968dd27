package stream_test

import (
	"fmt"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/streamtest"
)

func TestPaymentsTopology(t *testing.T) {
	topology, err := payments()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "payments.txt", topology.Describe())
}

// The lists must not depend on how the payments are spread over channels, partitions, batches and restarts, as long as dates differ.
func TestLastFiveInAnyArrangement(t *testing.T) {
	want := ""
	for _, partitions := range []int32{1, 2, 4} {
		for _, batch := range []int{1, 7, 1000} {
			topology, err := payments()
			if err != nil {
				t.Fatal(err)
			}
			d := streamtest.New(t, topology, streamtest.Partitions(partitions), streamtest.Batch(batch))
			cards := streamtest.NewInput(d, "CC-PAYMENT", serde.String, cardJSON)
			transfers := streamtest.NewInput(d, "BANK-TRANSFER-PAYMENT", serde.String, transferJSON)
			for i := range 300 {
				customer, date := int64(i*7%11), fmt.Sprintf("2026-01-%03d", i*31%300)
				key, at := fmt.Sprint("k", i), record.Timestamp(1000+i)
				if i%3 == int(partitions)%3 {
					cards.Pipe(key, cardPayment{Trx: int64(i), Customer: customer, Date: date}, at)
				} else {
					transfers.Pipe(key, bankTransfer{Trx: int64(i), Customer: customer, Date: date}, at)
				}
				if i%50 == 49 {
					d.Restart()
				}
			}
			last := map[int64]lastFive{}
			for _, r := range streamtest.NewOutput(d, "PAYMENT-TRX-AGGR", serde.Int64, lastFiveJSON).ReadAll() {
				last[r.Key] = r.Value
			}
			if got := fmt.Sprint(last); want == "" {
				want = got
			} else if got != want {
				t.Fatalf("%d partitions, batches of %d:\n got %s\nwant %s", partitions, batch, got, want)
			}
			if len(last) != 11 {
				t.Fatalf("%d customers, want 11", len(last))
			}
		}
	}
}

// FuzzPayments feeds arbitrary bytes: every record is either processed or in the dead-letter topic, never both, never neither.
func FuzzPayments(f *testing.F) {
	f.Add([]byte(`k`), []byte(`{"trxId":1,"customerId":7,"trxDate":"2026-01-01"}`), int64(5))
	f.Add([]byte{}, []byte(`{"trxId":`), int64(-1))
	f.Add([]byte("x"), []byte("null"), int64(0))
	topology, err := payments()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, value []byte, at int64) {
		d := streamtest.New(t, topology, streamtest.DeadLetter(), streamtest.Batch(4))
		good := []byte(`{"trxId":2,"customerId":7,"trxDate":"2026-01-02"}`)
		cards := record.TopicPartition{Topic: "CC-PAYMENT"}
		d.Pipe(record.Record{TopicPartition: cards, Timestamp: 1, Key: []byte("a"), Value: good})
		d.Pipe(record.Record{TopicPartition: cards, Timestamp: record.Timestamp(at), Key: key, Value: value})
		d.Pipe(record.Record{TopicPartition: cards, Timestamp: 2, Value: good})
		d.Pipe(record.Record{TopicPartition: cards, Timestamp: 3, Key: key})
		outputs := len(streamtest.NewOutput(d, "PAYMENT-OUTPUT", serde.Bytes, serde.Bytes).ReadAll())
		lists := len(streamtest.NewOutput(d, "PAYMENT-TRX-AGGR", serde.Bytes, serde.Bytes).ReadAll())
		dead := len(streamtest.NewOutput(d, "CC-PAYMENT.dead", serde.Bytes, serde.Bytes).ReadAll())
		if outputs+dead != 4 || lists != outputs || dead < 1 {
			t.Errorf("4 payments in, %d out, %d lists, %d dead", outputs, lists, dead)
		}
	})
}
