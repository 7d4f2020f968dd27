package task

import (
	"strconv"

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

// bad is asked by sources about records that can't be decoded: nothing of them has gone anywhere yet.
func (s *Set) bad(run *operator.Run, row int, e *operator.RowError) error {
	re := s.recordError(e)
	if s.c.OnBadRecord(re) != DeadLetter {
		return e
	}
	s.deadLetter(run, row, re)
	return nil
}

// judge decides about a record that failed somewhere, after the unit was undone.
func (s *Set) judge(e *operator.RowError) {
	re := s.recordError(e)
	in := s.inputs[e.Origin.Input]
	consumed := e.Origin.Offset < in.position // it left an update in a cache, which failed
	switch s.c.OnBadRecord(re) {
	case DeadLetter:
		if consumed {
			s.giveUp(re, e.Origin)
			return
		}
		s.verdicts[e.Origin] = re
	case Stop:
		if !consumed {
			in.stopAt = &re.Offset
		}
		s.stopped = re
	}
}

func (s *Set) recordError(e *operator.RowError) *RecordError {
	return &RecordError{
		TopicPartition: s.inputs[e.Origin.Input].tp, Offset: e.Origin.Offset,
		Node: e.Node, Reason: e.Reason, Cause: e.Cause, Undecodable: e.Undecodable,
	}
}

func (s *Set) verdict(input int32, offset record.Offset) *RecordError {
	if len(s.verdicts) == 0 {
		return nil
	}
	return s.verdicts[operator.Origin{Input: input, Offset: offset}]
}

// settleVerdicts forgets those about records that are consumed.
func (s *Set) settleVerdicts() {
	for origin := range s.verdicts {
		if s.inputs[origin.Input].position > origin.Offset {
			delete(s.verdicts, origin)
		}
	}
}

// deadLetter stages the original record with what is known about the failure. Kafka has no negative timestamps: such a record
// gets time 0, and its own in a header, as all do.
func (s *Set) deadLetter(run *operator.Run, row int, e *RecordError) {
	topic, partition := topology.DeadLetter(e.Topic), e.Partition
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
