package kafka

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/server/kafka/guard"
	"github.com/mainstemio/mainstem/internal/server/kafka/session"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A fetchAnswer is a Fetch response that is written without copying its record batches: kmsg would join them into one buffer. Its
// encoding is compared with kmsg's in the tests.
type fetchAnswer struct {
	version int16
	err     *kerr.Error
	session int32
	topics  []fetchTopic
	budget  *guard.Budget
	held    int // bytes taken from the budget
	frames  *frames
	buffers [][]byte // of frames, with what was read from disk

	outcomes []session.Outcome // of all partitions, told or not
	bytes    int               // of record batches
	unknown  int               // partitions that do not exist
	urgent   bool              // there is something to tell even without records
}

// memory implements broker.Fetch's Memory.
func (f *fetchAnswer) memory(n int) []byte {
	b := f.frames.get(n)
	f.buffers = append(f.buffers, b)
	return b
}

// release gives back what the answer holds of the budget and the memory of its batches.
func (f *fetchAnswer) release() {
	for _, b := range f.buffers {
		f.frames.put(b)
	}
	f.buffers = nil
	if f.held != 0 {
		f.budget.GiveFetch(f.held)
		f.held = 0
	}
}

// begin empties the answer for a read of n partitions.
func (f *fetchAnswer) begin(n int) {
	f.release()
	if f.outcomes == nil {
		f.outcomes = make([]session.Outcome, n)
	}
	f.topics, f.bytes, f.unknown, f.urgent = f.topics[:0], 0, 0, false
}

// count notes what decides about waiting. A partition that does not exist, or not for this client, is told with the others but hurries nobody: its client
// would ask in circles.
func (f *fetchAnswer) count(res broker.FetchResult) {
	f.bytes += len(res.Batches)
	switch res.Err {
	case nil:
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.TopicAuthorizationFailed:
		f.unknown++
	default:
		f.urgent = true
	}
}

// add tells a partition; neighbours of one topic share its entry.
func (f *fetchAnswer) add(k session.Key, res broker.FetchResult) {
	if n := len(f.topics); n == 0 || f.topics[n-1].name != k.Topic || f.topics[n-1].id != k.ID {
		f.topics = append(f.topics, fetchTopic{name: k.Topic, id: k.ID})
	}
	t := &f.topics[len(f.topics)-1]
	t.partitions = append(t.partitions, fetchPartition{k.Partition, res})
}

type fetchTopic struct {
	name       string
	id         [16]byte
	partitions []fetchPartition
}

type fetchPartition struct {
	partition int32
	broker.FetchResult
}

// Versions in which the response changed.
const (
	fetchLogStart = 5
	fetchSessions = 7
	fetchReplica  = 11
	fetchFlexible = 12
	fetchTopicIDs = 13
)

// Key and IsFlexible make it an answer.
func (f *fetchAnswer) Key() int16       { return 1 }
func (f *fetchAnswer) IsFlexible() bool { return f.version >= fetchFlexible }

// AppendTo encodes it whole, as kmsg would; writeFetch is the way to the client.
func (f *fetchAnswer) AppendTo(dst []byte) []byte {
	head, cuts := f.encode(dst)
	out := make([]byte, 0, len(head)+f.bytes)
	from := 0
	for _, c := range cuts {
		out = append(append(out, head[from:c.at]...), c.batches...)
		from = c.at
	}
	return append(out, head[from:]...)
}

// A cut is a place in the encoded response where record batches belong.
type cut struct {
	at      int
	batches []byte
}

// encode appends everything but the record batches to dst.
func (f *fetchAnswer) encode(dst []byte) ([]byte, []cut) {
	var cuts []cut
	dst = binary.BigEndian.AppendUint32(dst, 0) // throttle
	if f.version >= fetchSessions {
		dst = binary.BigEndian.AppendUint16(dst, uint16(code(f.err)))
		dst = binary.BigEndian.AppendUint32(dst, uint32(f.session))
	}
	dst = f.length(dst, len(f.topics))
	for i := range f.topics {
		t := &f.topics[i]
		switch {
		case f.version >= fetchTopicIDs:
			dst = append(dst, t.id[:]...)
		case f.IsFlexible():
			dst = append(binary.AppendUvarint(dst, uint64(len(t.name))+1), t.name...)
		default:
			dst = append(binary.BigEndian.AppendUint16(dst, uint16(len(t.name))), t.name...)
		}
		dst = f.length(dst, len(t.partitions))
		for j := range t.partitions {
			dst = f.partition(dst, &t.partitions[j])
			if b := t.partitions[j].Batches; len(b) > 0 {
				cuts = append(cuts, cut{len(dst), b})
			}
			dst = f.noTags(dst)
		}
		dst = f.noTags(dst)
	}
	return f.noTags(dst), cuts
}

// length appends an array's or the batches' length; -1 is null.
func (f *fetchAnswer) length(dst []byte, n int) []byte {
	if f.IsFlexible() {
		return binary.AppendUvarint(dst, uint64(n+1))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

func (f *fetchAnswer) noTags(dst []byte) []byte {
	if f.IsFlexible() {
		return append(dst, 0)
	}
	return dst
}

// partition appends a partition up to the length of its batches.
func (f *fetchAnswer) partition(dst []byte, p *fetchPartition) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.partition))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code(p.Err)))
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.HighWatermark))
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.LastStable))
	if f.version >= fetchLogStart {
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.LogStart))
	}
	if p.Aborted == nil {
		dst = f.length(dst, -1) // null
	} else {
		dst = f.length(dst, len(p.Aborted))
	}
	for _, a := range p.Aborted {
		dst = binary.BigEndian.AppendUint64(dst, uint64(a.ProducerID))
		dst = binary.BigEndian.AppendUint64(dst, uint64(a.First))
		dst = f.noTags(dst)
	}
	if f.version >= fetchReplica {
		dst = append(dst, 0xff, 0xff, 0xff, 0xff) // -1: read from the leader
	}
	return f.length(dst, len(p.Batches))
}

// sent counts the bytes of each partition.
func (f *fetchAnswer) sent() {
	for i := range f.topics {
		for j := range f.topics[i].partitions {
			p := &f.topics[i].partitions[j]
			p.Traffic.Sent(len(p.Batches))
		}
	}
}

// writeFetch sends the response whose header stands in buf; the socket gets the batches as they came from the log.
func (c *conn) writeFetch(f *fetchAnswer, buf []byte) ([]byte, error) {
	defer f.release()
	buf, cuts := f.encode(buf)
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-4+f.bytes))
	if err := c.writeDeadline(len(buf) + f.bytes); err != nil {
		return buf, err
	}
	parts := make(net.Buffers, 0, 2*len(cuts)+1)
	from := 0
	for _, cut := range cuts {
		parts = append(parts, buf[from:cut.at], cut.batches)
		from = cut.at
	}
	parts = append(parts, buf[from:])
	if _, err := parts.WriteTo(c.nc); err != nil {
		return buf, fmt.Errorf("write fetch response: %w", err)
	}
	f.sent()
	return buf, nil
}
