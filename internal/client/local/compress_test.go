package local_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/clienttest"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
)

// commitText commits n records of text, about 3 kB each, to a topic with these settings.
func commitText(t *testing.T, b *broker.Broker, topic string, configs map[string]string, n int) client.Door {
	t.Helper()
	d := local.New(b, clock.System)
	if _, err := d.EnsureTopics(t.Context(), client.TopicSpec{Name: topic, Partitions: 1, Configs: configs}); err != nil {
		t.Fatal(err)
	}
	p, err := d.OpenProducer(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	e := p.NewEpoch()
	for i := range n {
		value := fmt.Append(nil, i, strings.Repeat(` {"customerId":17,"payments":[]}`, 100))
		if err := e.Append(record.TopicPartition{Topic: topic}, 7, []byte("k"), value, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Commit(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheApplicationsOwnTopicsAreCompressedUnlessTheySayOtherwise(t *testing.T) {
	b := open(t)
	for _, c := range []struct {
		topic, setting string
		want           batch.Codec
	}{
		{"app-s-changelog", "", batch.Snappy},
		{"app-r-repartition", "producer", batch.Snappy},
		{"app-u-changelog", "uncompressed", batch.None},
		{"app-z-changelog", "zstd", batch.Zstd},
		{"app-out", "", batch.None},
		{"other-s-changelog", "", batch.None},
		{"out", "gzip", batch.Gzip},
	} {
		configs := map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"}
		if c.setting != "" {
			configs["compression.type"] = c.setting
		}
		commitText(t, b, c.topic, configs, 10)
		f := b.Fetch(broker.Fetch{Ref: broker.TopicRef{Name: c.topic}, MaxBytes: 1, LeaderEpoch: -1})
		if got := batch.View(f.Batches).Codec(); got != c.want {
			t.Errorf("%s (compression.type %q) is stored with codec %d, want %d", c.topic, c.setting, got, c.want)
		}
	}
}

func TestACompactedTopicOfTheApplicationTakesNoRecordWithoutKey(t *testing.T) {
	b := open(t)
	d := commitText(t, b, "app-s-changelog", map[string]string{"cleanup.policy": "compact"}, 10)
	p, err := d.OpenProducer(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	e := p.NewEpoch()
	for _, key := range [][]byte{[]byte("k"), nil} {
		if err := e.Append(record.TopicPartition{Topic: "app-s-changelog"}, 7, key, make([]byte, 10_000), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Commit(t.Context(), e, nil); err == nil || errors.Is(err, client.ErrFenced) {
		t.Errorf("a record without key: %v", err)
	}
}

// Plain batches stand before the compressed ones in a changelog of before, and may follow them.
func TestPlainAndCompressedBatchesAreReadAsOneLog(t *testing.T) {
	b, tp := open(t), record.TopicPartition{Topic: "app-s-changelog"}
	d := local.New(b, clock.System)
	if _, err := d.EnsureTopics(t.Context(), client.TopicSpec{Name: tp.Topic, Partitions: 1, Configs: map[string]string{"retention.ms": "-1"}}); err != nil {
		t.Fatal(err)
	}
	f := newForeign(t, b, clienttest.ForeignOptions{})
	f.Produce(t, tp, "x", "y")
	commitText(t, b, tp.Topic, nil, 400) // three batches
	f.Produce(t, tp, "z")
	var got []string
	err := client.ReadAll(t.Context(), d, tp, func(c client.Chunk) error {
		for i, v := range c.Values {
			if c.Offsets[i] != record.Offset(len(got)) {
				t.Errorf("record %d has offset %d", len(got), c.Offsets[i])
			}
			name, _, _ := strings.Cut(string(v), " ")
			got = append(got, name)
		}
		return nil
	})
	want := []string{"x", "y"}
	for i := range 400 {
		want = append(want, fmt.Sprint(i))
	}
	if want = append(want, "z"); err != nil || strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("%v, %v", got, err)
	}
}

// What is read at once is bounded by what the records take in memory, as soon as the reader knows how well they compress.
func TestAPollOfCompressedRecordsIsBoundedByWhatTheyInflateTo(t *testing.T) {
	b, tp := open(t), record.TopicPartition{Topic: "app-s-changelog"}
	d := commitText(t, b, tp.Topic, map[string]string{"retention.ms": "-1"}, 4000) // 12 MB, in batches of half a megabyte
	r, err := d.OpenReader(t.Context(), map[record.TopicPartition]record.Offset{tp: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n, first := 0, true; n < 4000; first = false {
		chunks, err := r.Poll(t.Context(), 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		now := 0
		for _, c := range chunks {
			now += len(c.Values)
		}
		if n += now; !first && now > 170 { // one batch
			t.Fatalf("a Poll of 64 KiB returned %d records of 3 kB", now)
		}
	}
}
