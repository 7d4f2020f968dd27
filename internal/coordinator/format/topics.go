package format

import "encoding/binary"

// A TopicWriter writes the topic names of a list of partitions: 0 stands for the name before, n+1 for a name of n bytes. The zero
// TopicWriter begins a list.
type TopicWriter struct {
	last  string
	begun bool
}

// Append appends topic.
func (w *TopicWriter) Append(dst []byte, topic string) []byte {
	if w.begun && topic == w.last {
		return append(dst, 0)
	}
	w.last, w.begun = topic, true
	dst = binary.AppendUvarint(dst, uint64(len(topic))+1)
	return append(dst, topic...)
}

// A TopicReader reads what a TopicWriter wrote.
type TopicReader struct {
	last  string
	begun bool
}

// Read returns the next topic.
func (w *TopicReader) Read(r *Reader) string {
	n := r.Uvarint()
	switch {
	case n == 0 && !w.begun:
		r.Fail("the first topic has no name")
	case n > 0:
		w.last, w.begun = string(r.take(n-1)), true
	}
	return w.last
}
