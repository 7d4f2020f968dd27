package task

import (
	"maps"
	"slices"
	"strconv"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// Names of the headers of a dead-letter record, behind the original's own. The values are text.
const (
	headerApp       = "mainstem.app"
	headerTopic     = "mainstem.topic"
	headerPartition = "mainstem.partition"
	headerOffset    = "mainstem.offset"
	headerTimestamp = "mainstem.timestamp"
	headerNode      = "mainstem.node"
	headerReason    = "mainstem.reason"
)

// A verdict is a decision about a record that failed.
type verdict struct {
	*RecordError
	Decision
}

// A failing is one way in which a record failed: OnBadRecord is asked once about it.
type failing struct {
	operator.Origin
	node string
}

// decide asks about a record that failed.
func (s *Set) decide(e *operator.RowError, raw operator.Run) verdict {
	key := failing{e.Origin, e.Node}
	if v, asked := s.asked[key]; asked {
		return v
	}
	v := verdict{RecordError: s.recordError(e, raw)}
	v.Decision = s.c.OnBadRecord(v.RecordError)
	s.asked[key] = v
	return v
}

// bad is asked by sources about records that can't be decoded: nothing of them has gone anywhere yet.
func (s *Set) bad(run *operator.Run, row int, e *operator.RowError) error {
	v := s.decide(e, single(run, row))
	if v.Decision == Stop {
		return e
	}
	s.setAside(run, row, v)
	return nil
}

// leaveOut is asked by sinks about rows that can't be written.
func (s *Set) leaveOut(e *operator.RowError) bool {
	return s.decide(e, s.inputs[e.Origin.Input].find(e.Origin.Offset)).Decision == LeaveOut
}

// judge decides about a record that failed somewhere, after the unit was undone.
func (s *Set) judge(e *operator.RowError) {
	in := s.inputs[e.Origin.Input]
	v := s.decide(e, in.find(e.Origin.Offset))
	consumed := e.Origin.Offset < in.position // it left an update in a cache, which failed
	switch {
	case v.Decision == Stop:
		if !consumed {
			in.stopAt = &v.Offset
		}
		s.stopped = v.RecordError
	case consumed:
		s.giveUp(v, e.Origin)
	default:
		s.verdicts[e.Origin] = v
	}
}

func (s *Set) recordError(e *operator.RowError, raw operator.Run) *RecordError {
	return &RecordError{
		TopicPartition: s.inputs[e.Origin.Input].tp, Offset: e.Origin.Offset,
		Node: e.Node, Reason: e.Reason, Cause: e.Cause, Undecodable: e.Undecodable, Unwritable: e.Unwritable, raw: raw,
	}
}

// verdict returns what was decided about a record that is taken again.
func (s *Set) verdict(input int32, offset record.Offset) (v verdict, known bool) {
	if len(s.verdicts) == 0 {
		return v, false
	}
	v, known = s.verdicts[operator.Origin{Input: input, Offset: offset}]
	return v, known
}

// settleVerdicts forgets those about records that are consumed.
func (s *Set) settleVerdicts() {
	for origin := range s.verdicts {
		if s.inputs[origin.Input].position > origin.Offset {
			delete(s.verdicts, origin)
		}
	}
	for key := range s.asked {
		if s.inputs[key.Input].position > key.Offset {
			delete(s.asked, key)
		}
	}
}

// single shows one record of a run.
func single(run *operator.Run, row int) operator.Run {
	one := operator.Run{
		Input: run.Input, Offsets: run.Offsets[row : row+1], Timestamps: run.Timestamps[row : row+1], Keys: run.Keys[row : row+1], Values: run.Values[row : row+1],
	}
	if run.Headers != nil {
		one.Headers = run.Headers[row : row+1]
	}
	return one
}

// setAside does with a bad record what was decided.
func (s *Set) setAside(run *operator.Run, row int, v verdict) {
	if v.Decision == DeadLetter {
		s.deadLetter(run, row, v.RecordError)
		return
	}
	s.env.Drops.Add(operator.DropBad)
}

// deadLetterTopic returns the name of the topic that takes the bad records of a source topic.
func (s *Set) deadLetterTopic(source string) string {
	if s.c.DeadLetterTopic != "" {
		return s.c.DeadLetterTopic
	}
	return topology.DeadLetter(source)
}

// deadLetterTopics returns the topics that take the bad records of topics, each once, with the most partitions that any of theirs has.
func (s *Set) deadLetterTopics(sources map[string]int32) []client.TopicSpec {
	if !s.c.DeadLetters {
		return nil
	}
	counts := map[string]int32{}
	for source, n := range sources {
		topic := s.deadLetterTopic(source)
		counts[topic] = max(counts[topic], n)
	}
	var specs []client.TopicSpec
	for _, topic := range slices.Sorted(maps.Keys(counts)) {
		specs = append(specs, client.TopicSpec{
			Name: topic, Partitions: counts[topic], Configs: map[string]string{"max.message.bytes": deadLetterBytes},
		})
	}
	return specs
}

// deadLetter stages the original record with what is known about the failure. Kafka has no negative timestamps: such a record
// gets time 0, and its own in a header, as all do.
func (s *Set) deadLetter(run *operator.Run, row int, e *RecordError) {
	topic, partition := s.deadLetterTopic(e.Topic), e.Partition
	if n := s.c.Partitions[topic]; n > 0 {
		partition %= n
	}
	var headers []record.Header
	if run.Headers != nil {
		headers = append(headers, run.Headers[row]...)
	}
	add := func(key, value string) { headers = append(headers, record.Header{Key: key, Value: []byte(value)}) }
	add(headerApp, s.c.App)
	add(headerTopic, e.Topic)
	add(headerPartition, strconv.Itoa(int(e.Partition)))
	add(headerOffset, strconv.FormatInt(int64(e.Offset), 10))
	add(headerTimestamp, strconv.FormatInt(int64(run.Timestamps[row]), 10))
	add(headerNode, e.Node)
	add(headerReason, e.Reason)
	s.env.Stage.Add(operator.Staged{
		TopicPartition: record.TopicPartition{Topic: topic, Partition: partition}, Timestamp: max(run.Timestamps[row], 0),
		Key: run.Keys[row], Value: run.Values[row], Headers: headers,
	})
	s.env.Drops.Add(operator.DropDeadLetter)
}
