package connector

import (
	"context"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// awaitTopics returns the topics' descriptions as soon as all of them exist: a sink may be started before whoever fills them.
func (r *run) awaitTopics(ctx context.Context) (map[string]client.TopicInfo, error) {
	wait, told := minBackoff, 0
	for {
		found, err := r.door.Topics(ctx, r.opts.Topics...)
		if err != nil {
			return nil, doorError(fmt.Sprintf("look for topics %v", r.opts.Topics), err)
		}
		var missing []string
		for _, name := range r.opts.Topics {
			if _, ok := found[name]; !ok {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 {
			return found, nil
		}
		if told != len(missing) && r.opts.Events.Waiting != nil {
			r.opts.Events.Waiting(missing)
		}
		told = len(missing)
		if err := r.sleep(ctx, wait); err != nil {
			return nil, err
		}
		wait = min(2*wait, maxBackoff)
	}
}

// startingPoints returns where to read each partition on: the sink's own position, or the start of a partition new to it.
func (r *run) startingPoints(ctx context.Context, topics map[string]client.TopicInfo) (map[record.TopicPartition]record.Offset, error) {
	if err := r.sameTopics(topics); err != nil {
		return nil, err
	}
	from := map[record.TopicPartition]record.Offset{}
	var fresh []record.TopicPartition
	r.ids = make(map[string][16]byte, len(topics))
	r.lags = map[record.TopicPartition]int64{}
	for name, info := range topics {
		r.ids[name] = info.ID
		for p := range info.Partitions {
			tp := record.TopicPartition{Topic: name, Partition: p}
			if at, ok := r.held[tp]; ok {
				from[tp] = at.Offset
			} else {
				fresh = append(fresh, tp)
			}
		}
	}
	if len(fresh) == 0 {
		return from, nil
	}
	starts, err := r.door.Starts(ctx, fresh...)
	if err != nil {
		return nil, doorError(fmt.Sprintf("find the start of %v", fresh), err)
	}
	for _, tp := range fresh {
		at, ok := starts[tp]
		if !ok {
			return nil, fmt.Errorf("find the start of %s: %w", tp, client.ErrUnknownTopic)
		}
		from[tp] = at
	}
	return from, nil
}

// sameTopics refuses to go on with positions that count in a topic of the past: its offsets mean other records now.
func (r *run) sameTopics(topics map[string]client.TopicInfo) error {
	held := make([]record.TopicPartition, 0, len(r.held))
	for tp := range r.held {
		held = append(held, tp)
	}
	slices.SortFunc(held, func(a, b record.TopicPartition) int { return int(a.Partition) - int(b.Partition) }) // the lowest is named
	for _, tp := range held {
		info, read := topics[tp.Topic]
		if !read {
			continue // a topic the sink no longer reads
		}
		at := r.held[tp]
		if tp.Partition >= info.Partitions {
			return fmt.Errorf("%w: the sink is at %s offset %d, but the topic has %d partitions; empty the sink's table and its rows in mainstem_positions to build it anew",
				client.ErrRecreated, tp, at.Offset, info.Partitions)
		}
		var unknown [16]byte
		if at.TopicID != unknown && info.ID != unknown && at.TopicID != info.ID {
			return fmt.Errorf("%w: the sink is at %s offset %d of topic id %x, which is %x now; empty the sink's table and its rows in mainstem_positions to build it anew",
				client.ErrRecreated, tp, at.Offset, at.TopicID, info.ID)
		}
	}
	return nil
}

// measureLag looks once at the ends, so that partitions that stay silent count from the first batch on.
func (r *run) measureLag(ctx context.Context, from map[record.TopicPartition]record.Offset) error {
	tps := make([]record.TopicPartition, 0, len(from))
	for tp := range from {
		tps = append(tps, tp)
	}
	ends, err := r.door.Ends(ctx, tps...)
	if err != nil {
		return doorError("find the ends", err)
	}
	for tp, end := range ends {
		r.lags[tp] = max(0, int64(end-from[tp]))
	}
	return nil
}
