package mainstem

import (
	"context"
	"time"

	"github.com/mainstemio/mainstem/record"
)

// settleEvery is how often Settle looks again.
const settleEvery = 10 * time.Millisecond

// Settle waits until everything published before the call has gone through the node's pipelines and into its sinks' targets, but for those that
// were stopped. It returns early with the error of a pipeline or sink that stopped, of the node, or of ctx.
func (n *Node) Settle(ctx context.Context) error {
	for {
		settled, err := n.settled(ctx)
		if err != nil || settled {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-n.done:
			return n.Err()
		case <-n.o.clock.After(settleEvery):
		}
	}
}

// settled compares positions with ends. The ends are read before the positions and again after them: if they did not move, no
// pipeline had anything left to add.
func (n *Node) settled(ctx context.Context) (bool, error) {
	n.mu.Lock()
	closed, pipelines, sinks := n.mu.closed, n.mu.pipelines, n.mu.sinks // join makes new ones
	n.mu.Unlock()
	if closed {
		return false, ErrClosed
	}
	if err := n.Err(); err != nil {
		return false, err
	}
	topics := map[string]bool{}
	for _, p := range pipelines {
		if err := p.Err(); err != nil {
			return false, err
		}
		if p.stopped() {
			continue
		}
		for _, t := range p.engine.SourceTopics() {
			topics[t] = true
		}
	}
	for _, d := range sinks {
		if err := d.Err(); err != nil {
			return false, err
		}
		if d.stopped() {
			continue
		}
		for _, t := range d.topics {
			topics[t] = true
		}
	}
	before, err := n.ends(ctx, topics)
	if err != nil {
		return false, err
	}
	for _, p := range pipelines {
		if p.stopped() {
			continue
		}
		committed, err := n.door.Committed(ctx, p.app)
		if err != nil {
			return false, err
		}
		if !reached(committed, before, p.engine.SourceTopics()) || p.engine.Committing() {
			return false, nil // or its tables do not show yet what is durable
		}
	}
	after, err := n.ends(ctx, topics)
	if err != nil {
		return false, err
	}
	for tp, end := range after {
		if before[tp] != end {
			return false, nil
		}
	}
	for _, d := range sinks {
		if !d.stopped() && !reached(d.figures.reached(), after, d.topics) {
			return false, nil
		}
	}
	return true, nil
}

// reached tells whether the positions are at the ends of all partitions of the topics; an empty partition needs no position.
func reached(positions, ends map[record.TopicPartition]record.Offset, topics []string) bool {
	for _, topic := range topics {
		for tp, end := range ends {
			if tp.Topic == topic && positions[tp] < end {
				return false
			}
		}
	}
	return true
}

// ends returns the committed ends of all partitions of the topics that exist.
func (n *Node) ends(ctx context.Context, topics map[string]bool) (map[record.TopicPartition]record.Offset, error) {
	names := make([]string, 0, len(topics))
	for t := range topics {
		names = append(names, t)
	}
	infos, err := n.door.Topics(ctx, names...)
	if err != nil {
		return nil, err
	}
	var tps []record.TopicPartition
	for name, info := range infos {
		for p := range info.Partitions {
			tps = append(tps, record.TopicPartition{Topic: name, Partition: p})
		}
	}
	return n.door.Ends(ctx, tps...)
}
