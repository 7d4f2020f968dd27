package crash

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/examples/payments"
)

// createTopics makes the system's topics with a number of partitions each, as an operator would before anything runs.
func (t *trial) createTopics(bootstrap string, partitions map[string]int32) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for topic, n := range partitions {
		t.await("create topic "+topic, 2*time.Minute, func() error {
			ctx, cancel := context.WithTimeout(t.ctx, 20*time.Second)
			defer cancel()
			_, err := kadm.NewClient(cl).CreateTopic(ctx, n, 1, nil, topic)
			if errors.Is(err, kerr.TopicAlreadyExists) {
				err = nil // made by a request before, whose answer was lost or late
			}
			return err
		})
	}
}

// partitions of the system's topics: more than one, so that the order between partitions is nobody's.
var spread = map[string]int32{payments.CardTopic: 2, payments.TransferTopic: 2, payments.PaymentTopic: 2, payments.LastFiveTopic: 2}

// readAll hands every committed record of a topic, as it stands now, to each, in order within a partition.
func (t *trial) readAll(bootstrap, topic string, each func(*kgo.Record) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, 5*time.Minute)
	defer cancel()
	if err := readAll(ctx, bootstrap, topic, each); err != nil {
		t.Fatalf("read %s: %v", topic, err)
	}
}

func readAll(ctx context.Context, bootstrap, topic string, each func(*kgo.Record) error) error {
	// Control records are kept, since a transaction's marker may be what stands last.
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	if err != nil {
		return err
	}
	if err := ends.Error(); err != nil {
		return err
	}
	left, next := map[int32]int64{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%d partitions are not read to their ends %v: %w", len(left), left, err)
		}
		for _, r := range fetches.Records() {
			if r.Offset < next[r.Partition] {
				return fmt.Errorf("offset %d of partition %d comes after %d", r.Offset, r.Partition, next[r.Partition]-1)
			}
			next[r.Partition] = r.Offset + 1
			if end, open := left[r.Partition]; open && r.Offset < end && !r.Attrs.IsControl() {
				if err := each(r); err != nil {
					return fmt.Errorf("partition %d offset %d: %w", r.Partition, r.Offset, err)
				}
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return nil
}

// ended returns the sum of a topic's committed end offsets.
func ended(ctx context.Context, bootstrap, topic string) (sum int64, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, errors.Join(err, ends.Error())
}

// committed returns an application's positions in a topic.
func committed(ctx context.Context, bootstrap, app, topic string) (map[int32]int64, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	all, err := kadm.NewClient(cl).FetchOffsets(ctx, app)
	if err != nil {
		return nil, err
	}
	at := map[int32]int64{}
	all.Offsets().Each(func(o kadm.Offset) {
		if o.Topic == topic {
			at[o.Partition] = o.At
		}
	})
	return at, all.Error()
}
