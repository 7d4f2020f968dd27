package topology

import (
	"cmp"
	"fmt"
)

// A TaskID names a task: a partition of a sub-topology. It is the unit of work that workers of an application share.
type TaskID struct {
	Sub       int
	Partition int32
}

// String is the name that Kafka Streams gives a task.
func (id TaskID) String() string { return fmt.Sprintf("%d_%d", id.Sub, id.Partition) }

// Compare orders tasks by sub-topology, then partition.
func (id TaskID) Compare(o TaskID) int {
	return cmp.Or(cmp.Compare(id.Sub, o.Sub), cmp.Compare(id.Partition, o.Partition))
}

// IDs returns all tasks in order. Global tables have none: every process has its own.
func (p *Plan) IDs() []TaskID {
	var ids []TaskID
	for sub, n := range p.Tasks {
		if p.Topology.Subs[sub].Global {
			continue
		}
		for partition := range n {
			ids = append(ids, TaskID{Sub: sub, Partition: partition})
		}
	}
	return ids
}

// Has tells whether there is such a task.
func (p *Plan) Has(id TaskID) bool {
	return id.Sub >= 0 && id.Sub < len(p.Tasks) && !p.Topology.Subs[id.Sub].Global && id.Partition >= 0 && id.Partition < p.Tasks[id.Sub]
}

// Sources returns the topics that a task of an application reads, in order: those of its Sources and Repartitions that have the task's
// partition. partitions are those of the source topics.
func (p *Plan) Sources(app string, id TaskID, partitions map[string]int32) []string {
	var topics []string
	for _, in := range p.Topology.Subs[id.Sub].Inputs {
		n := p.Topology.Node(in)
		if n.Kind == Repartition {
			if id.Partition < p.Counts[in] {
				topics = append(topics, RepartitionTopic(app, n.Name))
			}
			continue
		}
		for _, topic := range n.Topics {
			if id.Partition < partitions[topic] {
				topics = append(topics, topic)
			}
		}
	}
	return topics
}
