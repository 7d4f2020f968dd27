package remote

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

const (
	// partitionBytes bounds one partition's share of a fetch.
	partitionBytes = 1 << 20
	// fetchWait is how long a broker holds a fetch that finds nothing: Kafka's default. Records end it at once.
	fetchWait = 500 * time.Millisecond
	// suspectInterval is how often a topic that a broker did not know is asked for again.
	suspectInterval = 500 * time.Millisecond
)

var errReaderClosed = errors.New("reader is closed")

// A reader fetches through a kgo client of its own, which follows leaders and tells what it cannot read. What was fetched
// beyond maxBytes waits in queues.
type reader struct {
	d        *Door
	cl       *kgo.Client
	parts    []*input
	byTP     map[record.TopicPartition]*input
	turn     int                                // where the next take begins
	suspects map[string]bool                    // topics that a broker did not know, until their records come
	pause    backoff                            // between fetches that failed
	waiting  atomic.Pointer[context.CancelFunc] // of the fetch that a Poll waits for
}

// An input is one partition being read.
type input struct {
	tp     record.TopicPartition
	id     [16]byte // the topic's; zero where the cluster has none (before 2.8)
	paused atomic.Bool
	queue  []client.Chunk // fetched, not yet handed out
}

// OpenReader implements client.Door.
func (d *Door) OpenReader(ctx context.Context, positions map[record.TopicPartition]record.Offset) (client.Reader, error) {
	r := &reader{d: d, byTP: make(map[record.TopicPartition]*input, len(positions)), suspects: map[string]bool{}, pause: backoff{clock: d.o.Clock}}
	from, err := r.check(ctx, positions)
	if err != nil {
		return nil, err
	}
	r.cl, err = d.o.newClient(kversion.Stable(),
		kgo.ConsumePartitions(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they move Next
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepRetryableFetchErrors(),
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(d.o.FetchBytes),
		kgo.FetchMaxPartitionBytes(min(partitionBytes, d.o.FetchBytes)),
	)
	if err != nil {
		return nil, fmt.Errorf("open reader: %w", err)
	}
	return r, nil
}

// check compares the positions with the logs and fills r.parts.
func (r *reader) check(ctx context.Context, positions map[record.TopicPartition]record.Offset) (map[string]map[int32]kgo.Offset, error) {
	tps := make([]record.TopicPartition, 0, len(positions))
	names := map[string]bool{}
	for tp := range positions {
		tps = append(tps, tp)
		names[tp.Topic] = true
	}
	infos, err := r.d.describe(ctx, keys(names))
	if err != nil {
		return nil, fmt.Errorf("open reader: %w", err)
	}
	starts, err := r.d.Starts(ctx, tps...)
	if err != nil {
		return nil, fmt.Errorf("open reader: %w", err)
	}
	ends, err := offsets(ctx, tps, r.d.adm.ListEndOffsets)
	if err != nil {
		return nil, fmt.Errorf("open reader: %w", err)
	}
	from := map[string]map[int32]kgo.Offset{}
	for tp, o := range positions {
		if o < starts[tp] || o > ends[tp] {
			return nil, fmt.Errorf("read %s at %d: %w: the log holds [%d, %d)", tp, o, client.ErrGap, starts[tp], ends[tp])
		}
		in := &input{tp: tp, id: infos[tp.Topic].ID}
		r.parts, r.byTP[tp] = append(r.parts, in), in
		if from[tp.Topic] == nil {
			from[tp.Topic] = map[int32]kgo.Offset{}
		}
		from[tp.Topic][tp.Partition] = kgo.NewOffset().At(int64(o))
	}
	return from, nil
}

func keys(m map[string]bool) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	return ks
}

// Poll implements client.Reader.
func (r *reader) Poll(ctx context.Context, maxBytes int) ([]client.Chunk, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		fetching, cancel := context.WithCancel(ctx)
		r.waiting.Store(&cancel) // before looking: a Resume behind it ends the fetch
		chunks := r.take(maxBytes)
		var err error
		if len(chunks) == 0 {
			err = r.fetch(ctx, fetching)
		}
		cancel()
		if err != nil || len(chunks) > 0 {
			return chunks, err
		}
	}
}

// fetch waits for records until pctx ends, which is one of ctx, or for a while when a topic is in doubt, and queues what came.
func (r *reader) fetch(ctx, pctx context.Context) error {
	if len(r.suspects) > 0 {
		var cancel context.CancelFunc
		pctx, cancel = context.WithTimeout(pctx, suspectInterval)
		defer cancel()
	}
	fetches := r.cl.PollFetches(pctx)
	if fetches.IsClientClosed() {
		return errReaderClosed
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if in := r.byTP[record.TopicPartition{Topic: p.Topic, Partition: p.Partition}]; in != nil && len(p.Records) > 0 {
			in.queue = append(in.queue, columns(in.tp, &p.FetchPartition))
			delete(r.suspects, p.Topic)
		}
	})
	failed := false
	for _, e := range fetches.Errors() {
		if pctx.Err() != nil && errors.Is(e.Err, pctx.Err()) {
			continue
		}
		failed = true
		if err := r.failed(ctx, e); err != nil {
			return err
		}
	}
	for topic := range r.suspects {
		if err := r.verify(ctx, topic); err != nil {
			return err
		}
	}
	if failed { // an error that passes: kgo tries again by itself, we must not spin
		r.pause.tries = max(r.pause.tries, 4)
		_ = r.pause.wait(ctx)
	} else {
		r.pause.tries = 0
	}
	return nil
}

// failed tells whether a fetch's error ends the reader. Brokers that are away or not leaders any more do not: kgo finds others.
func (r *reader) failed(ctx context.Context, e kgo.FetchError) error {
	_, lost := errors.AsType[*kgo.ErrDataLoss](e.Err)
	switch {
	case lost, errors.Is(e.Err, kerr.OffsetOutOfRange):
		return fmt.Errorf("read %s/%d: %w: %w", e.Topic, e.Partition, client.ErrGap, e.Err)
	case errors.Is(e.Err, kerr.UnknownTopicOrPartition), errors.Is(e.Err, kerr.UnknownTopicID), errors.Is(e.Err, kerr.InconsistentTopicID):
		r.suspects[e.Topic] = true
		return nil
	case kerr.IsRetriable(e.Err), kgo.IsRetryableBrokerErr(e.Err):
		return nil
	}
	return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, explain(e.Err))
}

// verify asks the cluster whether a suspected topic is still the one that was opened.
func (r *reader) verify(ctx context.Context, topic string) error {
	infos, err := r.d.describe(ctx, []string{topic})
	if err != nil {
		return nil // not known either way: asked again after the next fetch
	}
	now, ok := infos[topic]
	for _, in := range r.parts {
		if in.tp.Topic != topic {
			continue
		}
		switch {
		case !ok:
			return fmt.Errorf("read %s: %w", in.tp, client.ErrUnknownTopic)
		case now.ID != in.id:
			return fmt.Errorf("read %s: %w", in.tp, client.ErrRecreated)
		}
	}
	return nil
}

// Pause implements client.Reader.
func (r *reader) Pause(tp record.TopicPartition) {
	if in := r.byTP[tp]; in != nil && in.paused.CompareAndSwap(false, true) {
		r.cl.PauseFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
	}
}

// Resume implements client.Reader.
func (r *reader) Resume(tp record.TopicPartition) {
	if in := r.byTP[tp]; in != nil && in.paused.CompareAndSwap(true, false) {
		r.cl.ResumeFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
		if cancel := r.waiting.Load(); cancel != nil {
			(*cancel)() // what is queued already goes first
		}
	}
}

// Close implements client.Reader.
func (r *reader) Close() { r.cl.Close() }
