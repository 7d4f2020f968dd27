package group

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/format"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/mainstemio/mainstem/record"
)

// recordVersion is the first byte of every record; a reader refuses versions it does not know.
const recordVersion = 1

// The second byte of a record is its kind.
const (
	kindGeneration     = 1 // a completed generation, or an empty group
	kindOffsets        = 2
	kindPending        = 3 // offsets of an open transaction
	kindDeletedOffsets = 4
	kindDeletedGroup   = 5
	kindConsumer       = 6 // the beginning or a change of a consumer group
	kindInterrupted    = 7 // a generation whose members must join again: a consumer group has become a classic one
	kindSettings       = 8 // all that is set of a group
)

func appendHeader(dst []byte, kind byte, group string) []byte {
	return format.AppendString(append(dst, recordVersion, kind), group)
}

func appendGeneration(dst []byte, kind byte, g *group) []byte {
	dst = appendHeader(dst, kind, g.name)
	dst = binary.AppendVarint(dst, int64(g.generation))
	dst = format.AppendString(dst, g.protocolType)
	dst = format.AppendString(dst, g.protocol)
	dst = format.AppendString(dst, g.leader)
	dst = binary.AppendUvarint(dst, uint64(len(g.order)))
	for _, m := range g.order {
		dst = format.AppendString(dst, m.id)
		dst = format.AppendString(dst, m.instance)
		dst = format.AppendString(dst, m.clientID)
		dst = format.AppendString(dst, m.clientHost)
		dst = binary.AppendVarint(dst, m.session.Milliseconds())
		dst = binary.AppendVarint(dst, m.rebalance.Milliseconds())
		dst = binary.AppendUvarint(dst, uint64(len(m.protocols)))
		for _, p := range m.protocols {
			dst = format.AppendString(dst, p.Name)
			dst = format.AppendBytes(dst, p.Metadata)
		}
		dst = format.AppendBytes(dst, m.assignment)
	}
	return dst
}

func appendOffsets(dst []byte, group string, os []placed) []byte {
	return appendPlaced(appendHeader(dst, kindOffsets, group), os)
}

func appendPending(dst []byte, group string, pid int64, os []placed) []byte {
	return appendPlaced(binary.AppendVarint(appendHeader(dst, kindPending, group), pid), os)
}

// appendPlaced writes offsets; a topic or a commit time that repeats the one before takes a byte.
func appendPlaced(dst []byte, os []placed) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(os)))
	var topics format.TopicWriter
	var at record.Timestamp
	for _, o := range os {
		dst = topics.Append(dst, o.Topic)
		dst = binary.AppendVarint(dst, int64(o.Partition))
		dst = binary.AppendVarint(dst, int64(o.offset))
		dst = binary.AppendVarint(dst, int64(o.leaderEpoch))
		dst = format.AppendString(dst, o.metadata)
		dst = binary.AppendVarint(dst, int64(o.at)-int64(at))
		at = o.at
	}
	return dst
}

func appendDeletedOffsets(dst []byte, group string, tps []record.TopicPartition) []byte {
	dst = binary.AppendUvarint(appendHeader(dst, kindDeletedOffsets, group), uint64(len(tps)))
	var topics format.TopicWriter
	for _, tp := range tps {
		dst = binary.AppendVarint(topics.Append(dst, tp.Topic), int64(tp.Partition))
	}
	return dst
}

func appendDeletedGroup(dst []byte, group string) []byte {
	return appendHeader(dst, kindDeletedGroup, group)
}

// An entry is a decoded record; which fields count depends on kind.
type entry struct {
	kind       byte
	group      string
	generation *group
	pid        int64
	offsets    []placed
	partitions []record.TopicPartition
	consumer   *consumer.Delta
	settings   map[string]string
}

func decode(rec []byte) (entry, error) {
	r := format.NewReader(rec)
	if v := r.Byte(); v != recordVersion {
		r.Fail("unknown version")
	}
	e := entry{kind: r.Byte(), group: r.String()}
	switch e.kind {
	case kindGeneration, kindInterrupted:
		e.generation = readGeneration(r, e.group)
	case kindOffsets:
		e.offsets = readPlaced(r)
	case kindPending:
		e.pid = r.Varint()
		e.offsets = readPlaced(r)
	case kindDeletedOffsets:
		e.partitions = make([]record.TopicPartition, r.Count(2))
		var topics format.TopicReader
		for i := range e.partitions {
			e.partitions[i] = record.TopicPartition{Topic: topics.Read(r), Partition: r.Int32()}
		}
	case kindDeletedGroup:
	case kindConsumer:
		e.consumer = consumer.Read(r)
	case kindSettings:
		e.settings = readSettings(r)
	default:
		r.Fail("unknown kind")
	}
	return e, r.End()
}

func readPlaced(r *format.Reader) []placed {
	os := make([]placed, r.Count(6))
	var topics format.TopicReader
	var at int64
	for i := range os {
		o := &os[i]
		o.Topic, o.Partition = topics.Read(r), r.Int32()
		o.offset, o.leaderEpoch, o.metadata = record.Offset(r.Varint()), r.Int32(), r.String()
		at += r.Varint()
		o.at = record.Timestamp(at)
	}
	return os
}

// readGeneration rebuilds the group as its generation left it and refuses what no group can be.
func readGeneration(r *format.Reader, name string) *group {
	g := newGroup(name)
	g.generation = int32(r.Int(0, math.MaxInt32))
	protocolType, protocol, leader := r.String(), r.String(), r.String()
	for range r.Count(8) {
		m := readMember(r)
		if r.Failed() {
			return nil
		}
		switch {
		case m.id == "" || g.members[m.id] != nil:
			r.Fail("a member id is empty or taken")
		case m.instance != "" && g.static[m.instance] != "":
			r.Fail("two members with one instance id")
		case !slices.ContainsFunc(m.protocols, func(p Protocol) bool { return p.Name == protocol }):
			r.Fail("a member does not know the group's protocol")
		case protocolType == "":
			r.Fail("members without protocol type")
		}
		g.add(m)
	}
	if len(g.order) > 0 {
		g.state = stable
		if g.members[leader] == nil {
			r.Fail("the leader is no member")
		}
	} else if leader != "" || protocol != "" {
		r.Fail("a leader or protocol without members")
	}
	g.protocolType, g.protocol, g.leader = protocolType, protocol, leader
	return g
}

func readMember(r *format.Reader) *member {
	m := &member{id: r.String(), instance: r.String(), clientID: r.String(), clientHost: r.String()}
	m.session = time.Duration(r.Int(1, math.MaxInt32)) * time.Millisecond
	m.rebalance = time.Duration(r.Int(1, math.MaxInt32)) * time.Millisecond
	ps := make([]Protocol, r.Count(2))
	for i := range ps {
		ps[i] = Protocol{Name: r.String(), Metadata: r.Bytes()}
	}
	m.protocols = cloneProtocols(ps)
	if len(m.protocols) != len(ps) {
		r.Fail("a protocol twice")
	}
	m.assignment = r.Bytes()
	return m
}
