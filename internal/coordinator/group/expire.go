package group

import (
	"time"

	"github.com/mainstemio/mainstem/record"
)

// CheckInterval is how often Expire should be called (offsets.retention.check.interval.ms).
const CheckInterval = 10 * time.Minute

// Expire removes committed offsets that nobody has needed for Options.Retention (KIP-211): those of a group that has had no members for
// so long, and those of a group with members for topics that none of them subscribes to any more. A group that has nothing left is
// deleted. An offset is also kept as long as its commit is younger than that by the wall clock at, and while a transaction holds it.
//
// Two rules are more careful than Kafka's. How long a group has been empty is counted by now, which no clock jump moves and
// which begins anew with a restart. And the offsets of a group that never had members stay: such are the positions of a pipeline, which
// may be down for longer than any retention, and to begin again would count everything twice.
func (g *Groups) Expire(now time.Duration, at record.Timestamp) Effects {
	var fx Effects
	for _, name := range g.names() {
		of := g.groups[name]
		var gone []record.TopicPartition
		for _, o := range sortedOffsets(of.offsets) {
			if of.unstable[o.TopicPartition] == 0 && time.Duration(at-o.at)*time.Millisecond >= g.options.Retention && g.unneeded(of, now, o.Topic) {
				gone = append(gone, o.TopicPartition)
				delete(of.offsets, o.TopicPartition)
			}
		}
		if len(gone) == 0 {
			continue
		}
		if len(of.offsets) == 0 && len(of.pending) == 0 && of.vacant() && len(of.pendingJoin) == 0 {
			g.drop(of)
			fx.Records = append(fx.Records, appendDeletedGroup(nil, name))
			continue
		}
		fx.Records = append(fx.Records, appendDeletedOffsets(nil, name, gone))
	}
	g.watchEmpty(now)
	return fx
}

// unneeded tells whether nobody has needed a group's offsets of a topic for long enough.
func (g *Groups) unneeded(of *group, now time.Duration, topic string) bool {
	switch {
	case of.modern == nil && of.protocolType == "":
		return false
	case of.vacant():
		return of.emptySince > 0 && now-of.emptySince >= g.options.Retention
	case of.modern == nil && (of.protocolType != consumerType || of.state != stable):
		return false
	}
	return !g.subscriptions(of)(topic)
}

// watchEmpty notes which groups are empty now.
func (g *Groups) watchEmpty(now time.Duration) {
	for _, of := range g.groups {
		switch {
		case !of.vacant():
			of.emptySince = 0
		case of.emptySince == 0:
			of.emptySince = max(now, 1)
		}
	}
}
