package task

import (
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// wire makes the instances of all nodes in all tasks and connects them.
func (s *Set) wire() error {
	ids, err := s.taskIDs()
	if err != nil {
		return err
	}
	s.makeInputs(ids)
	common, err := s.repartitions()
	if err != nil {
		return err
	}
	if err := s.wireGlobals(); err != nil {
		return err
	}
	for _, id := range ids {
		w := common
		w.sub, w.receivers = &s.c.Topology.Subs[id.Sub], map[topology.NodeID]any{}
		t, err := w.task(id.Partition)
		if err != nil {
			return err
		}
		s.tasks = append(s.tasks, t)
		if len(t.inboxes) > 0 {
			s.behind = append(s.behind, t)
		}
		if len(t.between) > 0 {
			s.loops = append(s.loops, t)
		}
	}
	s.spread()
	s.stores = s.env.Stores
	s.sortCaches()
	return nil
}

// repartitions makes what connects the tasks: exchanges in memory, or topics.
func (s *Set) repartitions() (w wiring, err error) {
	w = wiring{set: s, exchanges: map[topology.NodeID]operator.Exchange{}, topics: map[topology.NodeID]operator.TopicExchange{}}
	if s.c.Tasks == nil && !s.c.Topology.Consistent { // in consistent mode nothing comes back before the epoch ends, and then table after table goes on
		w.circular, w.between = s.c.Topology.Loops()
	}
	for i := range s.c.Topology.Nodes {
		n := &s.c.Topology.Nodes[i]
		if n.Kind != topology.Repartition {
			continue
		}
		spec, ok := n.Op.(operator.RepartitionSpec)
		switch {
		case !ok:
			return w, wrongOp(n)
		case s.c.Tasks == nil:
			w.exchanges[n.ID] = spec.Exchange(s.plan.Counts[n.ID])
		default:
			w.topics[n.ID] = spec.Over(topology.RepartitionTopic(s.c.App, n.Name), s.plan.Counts[n.ID])
		}
	}
	return w, nil
}

// makeInputs makes a buffer for each source partition.
func (s *Set) makeInputs(ids []topology.TaskID) {
	if s.c.Tasks == nil {
		s.makeAllInputs(s.c.Topology.SourceTopics())
		return
	}
	for _, id := range ids {
		for _, topic := range s.plan.Sources(s.c.App, id, s.c.Partitions) {
			s.makeInput(record.TopicPartition{Topic: topic, Partition: id.Partition})
		}
	}
	if len(ids) > 0 {
		return
	}
	for i := range s.c.Topology.Nodes {
		if n := &s.c.Topology.Nodes[i]; n.Global && n.Kind == topology.Source {
			s.makeAllInputs(n.Topics)
		}
	}
}

func (s *Set) makeAllInputs(topics []string) {
	for _, topic := range topics {
		for p := range s.c.Partitions[topic] {
			s.makeInput(record.TopicPartition{Topic: topic, Partition: p})
		}
	}
}

func (s *Set) makeInput(tp record.TopicPartition) {
	in := &input{tp: tp, index: int32(len(s.inputs))}
	s.inputs = append(s.inputs, in)
	s.env.SourcePartitions = append(s.env.SourcePartitions, tp)
	s.byTP[tp] = in
}

func wrongOp(n *topology.Node) error {
	return fmt.Errorf("wire %s: its operator is a %T", n.Name, n.Op)
}

// A wiring makes the instances of one task.
type wiring struct {
	set       *Set
	sub       *topology.SubTopology
	exchanges map[topology.NodeID]operator.Exchange      // in memory
	topics    map[topology.NodeID]operator.TopicExchange // the same over topics: one of the two has all
	receivers map[topology.NodeID]any                    // of the nodes made so far
	made      *task
	ports     map[topology.NodeID][]port

	circular, between map[topology.NodeID]bool // inputs: see topology.Loops
}

// task makes all nodes of the sub-topology for a partition, children before parents.
func (w *wiring) task(partition int32) (*task, error) {
	w.made = &task{Task: operator.NewTask(), sub: w.sub.ID, partition: partition, keptTime: record.NoTimestamp}
	w.ports = map[topology.NodeID][]port{}
	w.inherit()
	for _, id := range slices.Backward(w.sub.Nodes) {
		if err := w.node(w.set.c.Topology.Node(id)); err != nil {
			return nil, err
		}
	}
	for _, id := range w.sub.Inputs {
		w.made.ports = append(w.made.ports, w.ports[id]...)
		if w.between[id] {
			w.made.between = append(w.made.between, w.ports[id]...)
		}
		for range w.ports[id] {
			w.made.circular = append(w.made.circular, w.circular[id])
		}
	}
	w.schedule()
	w.changelogs()
	return w.made, w.made.Wired()
}

func (w *wiring) node(n *topology.Node) error {
	switch n.Kind {
	case topology.Source:
		return w.source(n)
	case topology.Repartition:
		return w.repartition(n)
	case topology.Processor, topology.Sink:
	}
	spec, ok := n.Op.(operator.Spec)
	if !ok {
		return wrongOp(n)
	}
	site, err := w.site(n)
	if err != nil {
		return err
	}
	if w.receivers[n.ID], err = spec.Instance(site); err != nil {
		return err
	}
	w.rests(w.receivers[n.ID])
	return nil
}

// rests notes an instance that holds memory which only work needs.
func (w *wiring) rests(instance any) {
	if slots, several := instance.(operator.Slots); several {
		for _, one := range slots {
			w.rests(one)
		}
		return
	}
	if r, ok := instance.(operator.Rester); ok {
		w.set.resters = append(w.set.resters, r)
	}
}

func (w *wiring) source(n *topology.Node) error {
	spec, ok := n.Op.(operator.SourceSpec)
	if !ok {
		return wrongOp(n)
	}
	site, err := w.site(n)
	if err != nil {
		return err
	}
	feeder, err := spec.Feeder(site)
	if err != nil {
		return err
	}
	w.rests(feeder)
	timer, _ := feeder.(operator.Timer)
	for i, topic := range n.Topics {
		for _, tp := range w.partitionsOf(topic) {
			in, exists := w.set.byTP[tp]
			if !exists {
				continue // this topic has fewer partitions than another
			}
			in.timer, in.topic, in.global = timer, int32(i), n.Global
			w.made.sources = append(w.made.sources, in)
			port := &sourcePort{set: w.set, in: in, feeder: feeder, bad: w.set.bad, rows: &w.set.nodeRows[n.ID]}
			w.ports[n.ID] = append(w.ports[n.ID], port)
		}
	}
	return nil
}

// repartition makes the halves that belong to this sub-topology.
func (w *wiring) repartition(n *topology.Node) error {
	x, inMemory := w.exchanges[n.ID]
	if !inMemory {
		return w.topic(n)
	}
	if slices.Contains(w.sub.Inputs, n.ID) && w.made.partition < w.set.plan.Counts[n.ID] {
		site, err := w.site(n)
		if err != nil {
			return err
		}
		inbox, err := x.Inbox(site)
		if err != nil {
			return err
		}
		w.made.inboxes = append(w.made.inboxes, inbox)
		w.ports[n.ID] = append(w.ports[n.ID], &inboxPort{inbox})
		w.made.mail = append(w.made.mail, &inboxPort{inbox})
	}
	return w.sender(n, x.Sender)
}

// topic makes the halves of a repartition over a topic.
func (w *wiring) topic(n *topology.Node) error {
	x := w.topics[n.ID]
	in, reads := w.set.byTP[record.TopicPartition{Topic: topology.RepartitionTopic(w.set.c.App, n.Name), Partition: w.made.partition}]
	if reads && slices.Contains(w.sub.Inputs, n.ID) {
		site, err := w.site(n)
		if err != nil {
			return err
		}
		feeder, err := x.Feeder(site)
		if err != nil {
			return err
		}
		w.rests(feeder)
		w.made.sources = append(w.made.sources, in)
		w.ports[n.ID] = append(w.ports[n.ID], &sourcePort{set: w.set, in: in, feeder: feeder, bad: w.set.bad})
	}
	return w.sender(n, x.Sender)
}

// sender makes the receiver in front of a repartition, where this sub-topology has it.
func (w *wiring) sender(n *topology.Node, of func(*operator.Site) (any, error)) (err error) {
	if !slices.Contains(w.sub.Outputs, n.ID) {
		return nil
	}
	w.receivers[n.ID], err = of(&operator.Site{
		Env: w.set.env, Task: w.made.Task, ID: int(n.ID), Node: n.Name, Partition: w.made.partition, Unkeyed: n.KeepsUnkeyed,
	})
	return err
}

// site collects what an instance of n needs to know.
func (w *wiring) site(n *topology.Node) (*operator.Site, error) {
	site := &operator.Site{Env: w.set.env, Task: w.made.Task, ID: int(n.ID), Node: n.Name, Partition: w.made.partition, RowWise: n.RowWise}
	site.Published = n.Published != ""
	if w.set.c.Topology.Consistent {
		site.Cached = (len(n.Stores) > 0 || n.Joins) && !w.sub.Global
	} else {
		site.Cached = w.set.c.CacheBytes > 0 && len(n.Stores) > 0 && !n.Uncached
	}
	for _, in := range n.Inputs {
		site.Inputs = append(site.Inputs, int(in))
	}
	for _, e := range n.Children {
		child := w.receivers[e.To]
		if slots, several := child.(operator.Slots); several {
			child = slots[e.Slot]
		}
		if child == nil {
			return nil, fmt.Errorf("wire %s: its child %s is not there", n.Name, w.set.c.Topology.Node(e.To).Name)
		}
		site.Children = append(site.Children, child)
		site.ChildNames = append(site.ChildNames, w.set.c.Topology.Node(e.To).Name)
		site.ChildRows = append(site.ChildRows, &w.set.nodeRows[e.To])
	}
	return site, nil
}

// changelogs names the partitions of the stores that the task just made.
func (w *wiring) changelogs() {
	if w.sub.Global {
		return
	}
	for _, st := range w.set.env.Stores[len(w.set.changelogs):] {
		topic := topology.Changelog(w.set.c.App, st.Name())
		for i := range w.set.c.Topology.Stores {
			if of := &w.set.c.Topology.Stores[i]; of.Name == st.Name() {
				topic = of.Changelog(w.set.c.App)
			}
		}
		w.set.changelogs[st] = record.TopicPartition{Topic: topic, Partition: st.Partition()}
	}
}
