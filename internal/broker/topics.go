package broker

import (
	"fmt"
	"maps"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A TopicID is a random UUID, never reused (KIP-516). The zero value means "by name".
type TopicID [16]byte

// A Topic is an immutable description: a changed topic is a new value.
type Topic struct {
	Name       string
	ID         TopicID
	Partitions int32
	Internal   bool
	Configs    map[string]string // those set on the topic; the rest are defaults
}

// Topics is a snapshot of all topics. Version tells snapshots of this process apart: who only wants to know whether something has
// changed keeps it, and not the snapshot.
type Topics struct {
	ByName  map[string]*Topic
	ByID    map[TopicID]*Topic
	Version uint64
}

// Topics returns the current snapshot; it is never changed.
func (b *Broker) Topics() *Topics { return b.view.Load().topics }

// A TopicRef names a topic by name or id.
type TopicRef struct {
	Name string
	ID   TopicID
}

// find resolves ref among the topics that readers see.
func (s *snapshot) find(ref TopicRef) (*topicState, *kerr.Error) {
	return find(s.byName, s.byID, ref)
}

func find(names map[string]*topicState, ids map[TopicID]*topicState, ref TopicRef) (*topicState, *kerr.Error) {
	if ref.Name == "" && ref.ID != (TopicID{}) {
		if t := ids[ref.ID]; t != nil {
			return t, nil
		}
		return nil, kerr.UnknownTopicID
	}
	if t := names[ref.Name]; t != nil {
		return t, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

// partition resolves one partition among those that readers see.
func (b *Broker) partition(ref TopicRef, partition int32) (*partition, *kerr.Error) {
	return b.view.Load().partition(ref, partition)
}

func (s *snapshot) partition(ref TopicRef, partition int32) (*partition, *kerr.Error) {
	t, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	if partition < 0 || int(partition) >= len(t.parts) {
		return nil, kerr.UnknownTopicOrPartition
	}
	return t.parts[partition], nil
}

func (b *Broker) named(tp record.TopicPartition) (*partition, *kerr.Error) {
	return b.partition(TopicRef{Name: tp.Topic}, tp.Partition)
}

// A TopicSpec asks for a topic. Partitions and Replication -1 mean the default; Replication > 1 is taken and reported as 1.
// Assignments, when given, holds the replicas of each partition and must name only this node.
type TopicSpec struct {
	Name        string
	Partitions  int32
	Replication int16
	Assignments map[int32][]int32
	Configs     map[string]string
}

// TopicResult answers one TopicSpec. Detail is a sentence for the client.
type TopicResult struct {
	Name   string
	Topic  *Topic
	Err    *kerr.Error
	Detail string
}

// maxNewPartitions bounds what one request may create, as Kafka's controller does.
const maxNewPartitions = 10_000

// CreateTopics creates each topic or says why not; with validateOnly nothing is created.
func (b *Broker) CreateTopics(specs []TopicSpec, validateOnly bool) *Future[[]TopicResult] {
	lost := func(why *stop) []TopicResult {
		out := make([]TopicResult, len(specs))
		for i := range specs {
			out[i] = TopicResult{Name: specs[i].Name, Err: why.partition}
		}
		return out
	}
	return submit(b, lost, func(s *sequencer) []TopicResult {
		times := map[string]int{}
		for i := range specs {
			times[specs[i].Name]++
		}
		out := make([]TopicResult, len(specs))
		total := int64(0)
		for i, spec := range specs {
			if times[spec.Name] > 1 {
				out[i] = TopicResult{Name: spec.Name, Err: kerr.InvalidRequest, Detail: "The request names this topic more than once."}
				continue
			}
			out[i] = s.createTopic(spec, &total, validateOnly)
		}
		return out
	})
}

// createTopic decides about one spec and makes the topic. total counts the partitions of the request.
func (s *sequencer) createTopic(spec TopicSpec, total *int64, validateOnly bool) TopicResult {
	out := TopicResult{Name: spec.Name}
	count, err, detail := s.limits.checkSpec(spec)
	if err == nil {
		err, detail = s.st.checkNewName(spec.Name)
	}
	if err == nil {
		err, detail = settings.Check(spec.Configs)
	}
	if err == nil {
		if *total += int64(count); *total > maxNewPartitions {
			err, detail = kerr.PolicyViolation, fmt.Sprintf("The request creates more than %d partitions.", maxNewPartitions)
		}
	}
	id, random := uuid.NewRandom()
	if err == nil && random != nil {
		err, detail = kerr.UnknownServerError, "No random topic id: "+random.Error()
	}
	if err != nil {
		out.Err, out.Detail = err, detail
		return out
	}
	f := frame.TopicCreated{
		Name: spec.Name, ID: id, Internal: internalTopics[spec.Name],
		First: s.st.nextPart, Count: uint32(count), Configs: maps.Clone(spec.Configs),
	}
	if f.Configs == nil {
		f.Configs = map[string]string{}
	}
	out.Topic = describe(f)
	if validateOnly {
		return out
	}
	s.append(frame.KindTopicCreated, f.Append(nil))
	s.st.applyTopicCreated(f)
	out.Topic = s.st.topics[spec.Name].Topic
	return out
}

// internalTopics are those that Kafka marks as internal.
var internalTopics = map[string]bool{"__consumer_offsets": true, "__transaction_state": true, "__share_group_state": true}

// AutoCreate creates a topic with defaults, when the node allows that; nil error and the existing topic when it is there already.
func (b *Broker) AutoCreate(name string) *Future[TopicResult] {
	if t := b.view.Load().byName[name]; t != nil {
		return done(TopicResult{Name: name, Topic: t.Topic})
	}
	lost := func(why *stop) TopicResult { return TopicResult{Name: name, Err: why.partition} }
	return submit(b, lost, func(s *sequencer) TopicResult {
		if t := s.st.topics[name]; t != nil {
			return TopicResult{Name: name, Topic: t.Topic}
		}
		if err, detail := settings.CheckName(name); err != nil {
			return TopicResult{Name: name, Err: err, Detail: detail}
		}
		if !s.limits.autoCreate {
			return TopicResult{Name: name, Err: kerr.UnknownTopicOrPartition}
		}
		return s.createTopic(TopicSpec{Name: name, Partitions: -1, Replication: -1}, new(int64), false)
	})
}

// DeleteTopics removes topics by name, or by id when the name is empty.
func (b *Broker) DeleteTopics(refs []TopicRef) *Future[[]TopicResult] {
	lost := func(why *stop) []TopicResult {
		out := make([]TopicResult, len(refs))
		for i := range refs {
			out[i] = TopicResult{Name: refs[i].Name, Err: why.partition}
		}
		return out
	}
	return submitFreeing(b, lost, func(s *sequencer) []TopicResult {
		out := make([]TopicResult, len(refs))
		for i, ref := range refs {
			out[i] = s.deleteTopic(ref)
		}
		return out
	})
}

func (s *sequencer) deleteTopic(ref TopicRef) TopicResult {
	t, err := find(s.st.topics, s.st.ids, ref)
	if err != nil {
		return TopicResult{Name: ref.Name, Err: err}
	}
	s.append(frame.KindTopicDeleted, t.ID[:])
	if err := s.st.applyTopicDeleted(t.ID); err != nil && s.err == nil {
		s.err = err
	}
	return TopicResult{Name: t.Name, Topic: t.Topic}
}

// CreatePartitions raises a topic's partition count to total.
func (b *Broker) CreatePartitions(name string, total int32, validateOnly bool) *Future[TopicResult] {
	lost := func(why *stop) TopicResult { return TopicResult{Name: name, Err: why.partition} }
	return submit(b, lost, func(s *sequencer) TopicResult {
		t := s.st.topics[name]
		out := TopicResult{Name: name}
		switch {
		case t == nil:
			out.Err = kerr.UnknownTopicOrPartition
			return out
		case total == t.Partitions:
			out.Err, out.Detail = kerr.InvalidPartitions, fmt.Sprintf("Topic already has %d partition(s).", total)
		case total < t.Partitions:
			out.Err = kerr.InvalidPartitions
			out.Detail = fmt.Sprintf("The topic %s currently has %d partition(s); %d would not be an increase.", name, t.Partitions, total)
		case total-t.Partitions > maxNewPartitions:
			out.Err, out.Detail = kerr.PolicyViolation, fmt.Sprintf("The request creates more than %d partitions.", maxNewPartitions)
		}
		if out.Err != nil || validateOnly {
			out.Topic = t.Topic
			return out
		}
		f := frame.PartitionsAdded{ID: t.ID, First: s.st.nextPart, Count: uint32(total - t.Partitions)}
		s.append(frame.KindPartitionsAdded, f.Append(nil))
		if err := s.st.applyPartitionsAdded(f); err != nil && s.err == nil {
			s.err = err
		}
		out.Topic = s.st.topics[name].Topic
		return out
	})
}

// DeleteRecords advances a partition's first offset (-1: to the high watermark); the result is the new first offset. Disk space
// comes back with the next checkpoint.
func (b *Broker) DeleteRecords(tp record.TopicPartition, before record.Offset) *Future[OffsetResult] {
	lost := func(why *stop) OffsetResult { return OffsetResult{Offset: -1, Err: why.partition} }
	return submitFreeing(b, lost, func(s *sequencer) OffsetResult {
		p := s.st.partition(tp)
		if p == nil {
			return OffsetResult{Offset: -1, Err: kerr.UnknownTopicOrPartition}
		}
		if err := p.refuses(); err != nil {
			return OffsetResult{Offset: -1, Err: err}
		}
		if !p.rules.Load().Delete {
			return OffsetResult{Offset: -1, Err: kerr.PolicyViolation}
		}
		if before == -1 {
			before = p.next
		}
		if before < p.start || before > p.next {
			return OffsetResult{Offset: -1, Err: kerr.OffsetOutOfRange}
		}
		if before > p.start {
			s.append(frame.KindRecordsDeleted, frame.AppendRecordsDeleted(nil, p.number, before))
			s.st.applyRecordsDeleted(p.number, before)
		}
		return OffsetResult{Offset: p.start, Timestamp: record.NoTimestamp, LeaderEpoch: p.epoch()}
	})
}

// checkNewName adds what depends on the topics there are.
func (st *state) checkNewName(name string) (*kerr.Error, string) {
	if err, detail := settings.CheckName(name); err != nil {
		return err, detail
	}
	if st.topics[name] != nil {
		return kerr.TopicAlreadyExists, fmt.Sprintf("Topic '%s' already exists.", name)
	}
	if other, ok := st.folded[settings.Fold(name)]; ok {
		return kerr.InvalidTopicException, fmt.Sprintf("Topic '%s' collides with existing topic: %s.", name, other)
	}
	return nil, ""
}

// checkSpec returns the partition count of spec.
func (l limits) checkSpec(spec TopicSpec) (count int32, err *kerr.Error, detail string) {
	if len(spec.Assignments) > 0 {
		return l.checkAssignments(spec)
	}
	count = spec.Partitions
	if count == -1 {
		count = l.defaultPartitions
	}
	switch {
	case count < 1:
		return 0, kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."
	case spec.Replication == 0 || spec.Replication < -1:
		return 0, kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 for the default."
	}
	return count, nil, ""
}

func (l limits) checkAssignments(spec TopicSpec) (count int32, err *kerr.Error, detail string) {
	if spec.Partitions != -1 || spec.Replication != -1 {
		return 0, kerr.InvalidRequest, "A manual partition assignment was specified, but a number of partitions or a replication factor as well."
	}
	for i := range int32(len(spec.Assignments)) {
		replicas, ok := spec.Assignments[i]
		if !ok {
			return 0, kerr.InvalidReplicaAssignment, "The manual partition assignment must number partitions from 0 on without gaps."
		}
		if len(replicas) != 1 || replicas[0] != l.nodeID {
			return 0, kerr.InvalidReplicaAssignment, fmt.Sprintf("Partition %d must be assigned to node %d alone.", i, l.nodeID)
		}
	}
	return int32(len(spec.Assignments)), nil, ""
}
