package qtt

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A topicCodec writes and reads a topic's records.
type topicCodec struct {
	key, value codec
	window     Window // of its keys
}

// A decodedRecord is a record of an engine, read.
type decodedRecord struct {
	key, value any
	window     *windowNode // nil for plain keys
	timestamp  int64
	headers    []Header
}

// topicCodecs are the codecs of a case's topics. The first source on a topic determines them.
type topicCodecs struct {
	sources  func() []Source
	registry *Registry
	exact    bool
	known    map[string]*topicCodec
}

func newTopicCodecs(c *testCase, registry *Registry, sources func() []Source) *topicCodecs {
	return &topicCodecs{sources: sources, registry: registry, exact: c.exact(), known: map[string]*topicCodec{}}
}

func (t *topicCodecs) of(topic string) (*topicCodec, error) {
	if c := t.known[topic]; c != nil {
		return c, nil
	}
	for _, s := range t.sources() {
		if s.Topic != topic {
			continue
		}
		c, err := newTopicCodec(s, t.registry, t.exact)
		if err != nil {
			return nil, err
		}
		t.known[topic] = c
		return c, nil
	}
	return nil, fmt.Errorf("no stream or table is on topic %s", topic)
}

// encode returns a record of the case as its topic has it.
func (t *topicCodecs) encode(n recordNode) (Record, error) {
	c, err := t.of(n.Topic)
	if err != nil {
		return Record{}, err
	}
	return c.encode(n)
}

func newTopicCodec(s Source, registry *Registry, exact bool) (*topicCodec, error) {
	columns, err := parseColumns(s.Schema)
	if err != nil {
		return nil, err
	}
	c := &topicCodec{window: s.Window}
	spec := codecSpec{format: s.Key, columns: keyColumns(columns), key: true, topic: s.Topic, registry: registry, exact: exact}
	if c.key, err = newCodec(spec); err != nil {
		return nil, err
	}
	spec = codecSpec{format: s.Value, columns: valueColumns(columns), topic: s.Topic, registry: registry, exact: exact}
	c.value, err = newCodec(spec)
	return c, err
}

// encode returns the record of a case as bytes.
func (c *topicCodec) encode(n recordNode) (r Record, err error) {
	key, err := parseJSON(n.Key)
	if err != nil {
		return r, fmt.Errorf("key: %w", err)
	}
	if r.Key, err = c.key.encode(key); err != nil {
		return r, fmt.Errorf("key: %w", err)
	}
	value, err := parseJSON(n.Value)
	if err != nil {
		return r, fmt.Errorf("value: %w", err)
	}
	if r.Value, err = c.value.encode(value); err != nil {
		return r, fmt.Errorf("value: %w", err)
	}
	if r.Key, err = c.inWindow(r.Key, n.Window); err != nil {
		return r, err
	}
	if n.Timestamp != nil {
		r.Timestamp = *n.Timestamp
	}
	for _, h := range n.Headers {
		r.Headers = append(r.Headers, Header(h))
	}
	return r, nil
}

// inWindow appends a window to a key, as Kafka Streams does.
func (c *topicCodec) inWindow(key []byte, w *windowNode) ([]byte, error) {
	switch {
	case w == nil && c.window.Type == "":
		return key, nil
	case w == nil || c.window.Type == "":
		return nil, fmt.Errorf("a key with %s on a topic with window type %q", w, c.window.Type)
	case key == nil:
		return nil, nil
	case c.window.Type == "SESSION":
		key = binary.BigEndian.AppendUint64(key[:len(key):len(key)], uint64(w.End))
	}
	return binary.BigEndian.AppendUint64(key[:len(key):len(key)], uint64(w.Start)), nil
}

// decode reads a record of an engine.
func (c *topicCodec) decode(r Record) (d decodedRecord, err error) {
	d.timestamp, d.headers = r.Timestamp, r.Headers
	key := r.Key
	if key != nil && c.window.Type != "" {
		if key, d.window, err = c.outOfWindow(key); err != nil {
			return d, err
		}
	}
	if d.key, err = c.key.decode(key); err != nil {
		return d, fmt.Errorf("key %q: %w", r.Key, err)
	}
	if d.value, err = c.value.decode(r.Value); err != nil {
		return d, fmt.Errorf("value %q: %w", r.Value, err)
	}
	return d, nil
}

func (c *topicCodec) outOfWindow(key []byte) ([]byte, *windowNode, error) {
	const timeBytes = 8
	if c.window.Type == "SESSION" {
		if len(key) < 2*timeBytes {
			return nil, nil, errors.New("a key too short for a session")
		}
		inner := key[:len(key)-2*timeBytes]
		end, start := binary.BigEndian.Uint64(key[len(inner):]), binary.BigEndian.Uint64(key[len(inner)+timeBytes:])
		return inner, &windowNode{Start: int64(start), End: int64(end), Type: "session"}, nil
	}
	if len(key) < timeBytes {
		return nil, nil, errors.New("a key too short for a window")
	}
	inner := key[:len(key)-timeBytes]
	start := int64(binary.BigEndian.Uint64(key[len(inner):]))
	return inner, &windowNode{Start: start, End: start + c.window.Size, Type: "time"}, nil
}
