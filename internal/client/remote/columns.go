package remote

import (
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// minShare is what a partition may give to a Poll at least, however many there are.
	minShare = 16 << 10
	// recordOverhead is what a record counts in a Poll besides its key and value.
	recordOverhead = 16
)

// columns turns fetched records into a chunk. Markers of transactions only move Next.
func columns(tp record.TopicPartition, p *kgo.FetchPartition) client.Chunk {
	n := len(p.Records)
	c := client.Chunk{
		TopicPartition: tp,
		Offsets:        make([]record.Offset, 0, n),
		Timestamps:     make([]record.Timestamp, 0, n),
	}
	both := make([][]byte, 2*n)
	c.Keys, c.Values = both[:0:n], both[n:n:2*n]
	for _, r := range p.Records {
		c.Next = record.Offset(r.Offset + 1)
		if r.Attrs.IsControl() {
			continue
		}
		c.Offsets = append(c.Offsets, record.Offset(r.Offset))
		c.Timestamps = append(c.Timestamps, record.Timestamp(r.Timestamp.UnixMilli()))
		c.Keys = append(c.Keys, r.Key)
		c.Values = append(c.Values, r.Value)
		switch {
		case len(r.Headers) > 0:
			if c.Headers == nil { // the records before had none
				c.Headers = make([][]record.Header, len(c.Offsets)-1, n)
			}
			c.Headers = append(c.Headers, headers(r.Headers))
		case c.Headers != nil:
			c.Headers = append(c.Headers, nil)
		}
	}
	c.End = record.Offset(p.LastStableOffset)
	if c.End < c.Next { // not told, or older than the records
		c.End = c.Next
	}
	return c
}

func headers(from []kgo.RecordHeader) []record.Header {
	hs := make([]record.Header, len(from))
	for i, h := range from {
		hs[i] = record.Header{Key: h.Key, Value: h.Value}
	}
	return hs
}

// take hands out queued chunks: of each partition in turn about an equal share of maxBytes.
func (r *reader) take(maxBytes int) []client.Chunk {
	var out []client.Chunk
	n := len(r.parts)
	share := max(maxBytes/max(n, 1), minShare)
	left := maxBytes
	for i := range n {
		in := r.parts[(r.turn+i)%n]
		if in.paused.Load() || len(in.queue) == 0 {
			continue
		}
		c, bytes := in.first(min(share, left))
		out = append(out, c)
		if left -= bytes; left <= 0 {
			r.turn = (r.turn + i + 1) % n
			return out
		}
	}
	return out
}

// first takes about maxBytes off the queue, one record at least: a whole chunk or the beginning of one.
func (in *input) first(maxBytes int) (client.Chunk, int) {
	c, bytes, n := in.queue[0], 0, 0
	for n < len(c.Values) && (n == 0 || bytes < maxBytes) {
		bytes += recordOverhead + len(c.Keys[n]) + len(c.Values[n])
		n++
	}
	if n == len(c.Values) {
		in.queue[0] = client.Chunk{} // not held by the array below
		if in.queue = in.queue[1:]; len(in.queue) == 0 {
			in.queue = nil
		}
		return c, bytes
	}
	head := c
	head.Offsets, c.Offsets = c.Offsets[:n:n], c.Offsets[n:]
	head.Timestamps, c.Timestamps = c.Timestamps[:n:n], c.Timestamps[n:]
	head.Keys, c.Keys = c.Keys[:n:n], c.Keys[n:]
	head.Values, c.Values = c.Values[:n:n], c.Values[n:]
	if c.Headers != nil {
		head.Headers, c.Headers = c.Headers[:n:n], c.Headers[n:]
	}
	head.Next = c.Offsets[0]
	in.queue[0] = c
	return head, bytes
}
