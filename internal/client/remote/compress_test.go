package remote_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTheApplicationsOwnTopicsAreCompressed(t *testing.T) {
	for name, brokers := range clusters(t) {
		t.Run(name, func(t *testing.T) {
			app := "app-" + uuid.NewString()[:8]
			for topic, want := range map[string]batch.Codec{app + "-s-changelog": batch.LZ4, app + "-r-repartition": batch.LZ4, app + "-out": batch.None} {
				d := open(t, brokers...)
				if _, err := d.EnsureTopics(t.Context(), client.TopicSpec{Name: topic, Partitions: 1, Configs: map[string]string{"retention.ms": "-1"}}); err != nil {
					t.Fatal(err)
				}
				p, err := d.OpenProducer(t.Context(), app)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				text := strings.Repeat(`{"customerId":17}`, 200)
				e := p.NewEpoch()
				for i := range 10 {
					if err := e.Append(record.TopicPartition{Topic: topic}, 7, []byte("k"), fmt.Append(nil, i, text), nil); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.Commit(t.Context(), e, nil); err != nil {
					t.Fatal(err)
				}
				for i, r := range consume(t, brokers, topic, 10) {
					if got := batch.Codec(r.Attrs.CompressionType()); got != want || string(r.Value) != fmt.Sprint(i, text) {
						t.Errorf("%s has record %d with codec %d, want %d: %.20s", topic, i, got, want, r.Value)
					}
				}
			}
		})
	}
}

// consume reads the first n records of a topic as any Kafka client does.
func consume(t *testing.T, brokers []string, topic string, n int) (records []*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for len(records) < n {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}
