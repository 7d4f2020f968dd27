package publish_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/examples/payments/publish"
)

func cluster(t *testing.T) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return strings.Join(c.ListenAddrs(), ",")
}

// values returns the n values of the topic.
func values(t *testing.T, bootstrap string, n int) map[string]bool {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics("PAY"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got := map[string]bool{}
	for seen := 0; seen < n; {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { seen++; got[string(r.Key)+"="+string(r.Value)] = true })
	}
	return got
}

func payment(i int64) (string, []byte, error) {
	return fmt.Sprint("k", i), fmt.Append(nil, "v", i), nil
}

func TestPublishesEachOnceAndCreatesTheTopic(t *testing.T) {
	bootstrap := cluster(t)
	for range 2 { // the second time the topic is there
		told := int64(-1)
		n, err := publish.Run(context.Background(), publish.Config{Bootstrap: bootstrap, Topic: "PAY", Count: 50, Progress: func(n int64) { told = n }}, payment)
		if err != nil || n != 50 || told != 50 {
			t.Fatalf("%d published, told %d, %v", n, told, err)
		}
	}
	if got := values(t, bootstrap, 100); len(got) != 50 || !got["k49=v49"] {
		t.Errorf("%d different records", len(got))
	}
}

func TestAnInterruptWaitsForWhatWasSent(t *testing.T) {
	bootstrap := cluster(t)
	ctx, cancel := context.WithCancel(context.Background())
	n, err := publish.Run(ctx, publish.Config{Bootstrap: bootstrap, Topic: "PAY", Rate: 100_000}, func(i int64) (string, []byte, error) {
		if i == 19 {
			cancel()
		}
		return payment(i)
	})
	if err != nil || n != 20 {
		t.Fatalf("%d acknowledged, %v", n, err)
	}
	if got := values(t, bootstrap, 20); len(got) != 20 {
		t.Errorf("%d records", len(got))
	}
}

func TestARecordThatCannotBeMadeEndsIt(t *testing.T) {
	cause := errors.New("out of payments")
	n, err := publish.Run(context.Background(), publish.Config{Bootstrap: cluster(t), Topic: "PAY"}, func(i int64) (string, []byte, error) {
		if i == 3 {
			return "", nil, cause
		}
		return payment(i)
	})
	if !errors.Is(err, cause) || n != 3 {
		t.Errorf("%d acknowledged, %v", n, err)
	}
}

func TestARefusedRecordEndsIt(t *testing.T) {
	big := make([]byte, 2<<20) // more than the client's own limit
	_, err := publish.Run(context.Background(), publish.Config{Bootstrap: cluster(t), Topic: "PAY"}, func(int64) (string, []byte, error) {
		return "k", big, nil
	})
	if err == nil || !strings.Contains(err.Error(), "publish to PAY") {
		t.Errorf("got %v", err)
	}
}
