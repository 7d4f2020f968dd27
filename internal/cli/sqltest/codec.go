package sqltest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// A codec reads and writes the records of a stream or table, and the JSON that tests have for them.
type codec struct {
	of         *catalog.Source
	key, value side
}

// A side is the keys or the values.
type side struct {
	format  string
	schema  row.Schema
	records format.Codec
	// Tests write a single column as its value, or as an object of one member.
	bare, wrapped format.Codec
	unwrapped     bool // records hold a single column as its value: so do messages
}

func (w *world) codec(of *catalog.Source) (codec, error) {
	key, err := w.side(of, of.KeyFormat, true)
	if err != nil {
		return codec{}, err
	}
	value, err := w.side(of, of.ValueFormat, false)
	return codec{of, key, value}, err
}

func (w *world) side(of *catalog.Source, as catalog.Serialized, key bool) (side, error) {
	schema := of.Value
	if key {
		schema = of.Key
	}
	s := side{format: as.Name, schema: schema, unwrapped: as.Unwrapped && len(schema) == 1}
	var err error
	if s.records, err = format.New(format.Side{Spec: as.Spec, Schema: schema, Key: key, Unwrapped: as.Unwrapped, Topic: of.Topic, Schemas: w.schemas}); err != nil {
		return s, err
	}
	if s.wrapped, err = format.New(format.Side{Spec: format.Spec{Name: format.JSON}, Schema: schema}); err != nil {
		return s, err
	}
	s.bare, err = format.New(format.Side{Spec: format.Spec{Name: format.JSON}, Schema: schema, Unwrapped: len(schema) == 1})
	return s, err
}

func isNull(text json.RawMessage) bool {
	return len(text) == 0 || string(bytes.TrimSpace(text)) == "null"
}

// encode turns a test's JSON into what stands in the topic. In the formats of text it may be the text itself.
func (s side) encode(text json.RawMessage) ([]byte, error) {
	var plain string
	isText := json.Unmarshal(text, &plain) == nil
	switch {
	case isNull(text):
		return nil, nil
	case len(s.schema) == 0 && isText, s.format == format.Delimited && isText:
		return []byte(plain), nil
	case len(s.schema) == 0, s.format == format.JSON:
		return text, nil
	}
	r, err := s.row(text)
	if err != nil {
		return nil, err
	}
	return s.records.Append([]byte{}, r)
}

// row turns a test's JSON into the row of the columns.
func (s side) row(text json.RawMessage) (row.Row, error) {
	var plain string
	switch {
	case isNull(text) || len(s.schema) == 0:
		return "", nil
	case s.format == format.Delimited && json.Unmarshal(text, &plain) == nil:
		return s.records.Decode([]byte(plain))
	case s.isBare(text):
		return s.bare.Decode(text)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return "", fmt.Errorf("%s is no object of the columns %s", text, s.schema)
	}
	for name := range members {
		if s.schema.Index(name) < 0 && s.schema.Index(strings.ToUpper(name)) < 0 {
			return "", fmt.Errorf("there is no column %s among %s", name, s.schema)
		}
	}
	return s.wrapped.Decode(text)
}

// isBare tells whether JSON stands for a single column. For a column that is an object itself the format decides.
func (s side) isBare(text json.RawMessage) bool {
	if len(s.schema) != 1 {
		return false
	}
	if t := s.schema[0].Type; t.Is(row.KindStruct) || t.Is(row.KindMap) {
		return s.unwrapped
	}
	return !strings.HasPrefix(string(bytes.TrimSpace(text)), "{")
}

// show is a row as JSON.
func (s side) show(r row.Row) string {
	if r.IsNull() {
		return "null"
	}
	as := s.wrapped
	if s.unwrapped {
		as = s.bare
	}
	text, err := as.Append(nil, r)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(text)
}

// An expected is a record that should be there, or one that is. What is nil does not matter.
type expected struct {
	key, value row.Row // "" is null
	noKey      *string // the key's text where there are no key columns
	window     *window
	timestamp  *int64 // ms
	headers    *[]header
}

// expect reads a record of output.json.
func (w *world) expect(of *catalog.Source, e entry) (expected, error) {
	out := expected{window: e.Window, timestamp: e.Timestamp, headers: e.Headers}
	c, err := w.codec(of)
	if err != nil {
		return out, err
	}
	if e.Window != nil && !of.Window.Windowed() {
		return out, fmt.Errorf("it has a window, but the keys of %s have none", of.Name)
	}
	if len(of.Key) == 0 && !isNull(e.Key) {
		b, err := c.key.encode(e.Key)
		if err != nil {
			return out, fmt.Errorf("key: %w", err)
		}
		text := string(b)
		out.noKey = &text
	}
	if out.key, err = c.key.row(e.Key); err != nil {
		return out, fmt.Errorf("key: %w", err)
	}
	if out.value, err = c.value.row(e.Value); err != nil {
		return out, fmt.Errorf("value: %w", err)
	}
	return out, nil
}

// read reads a record of a topic.
func (c codec) read(r record.Record) (expected, error) {
	at, headers, key := int64(r.Timestamp), []header{}, r.Key
	out := expected{timestamp: &at, headers: &headers}
	for _, h := range r.Headers {
		headers = append(headers, header{h.Key, h.Value})
	}
	if c.of.Window.Windowed() && key != nil {
		var err error
		if out.window, key, err = windowOf(c.of, key); err != nil {
			return out, err
		}
	}
	if len(c.of.Key) == 0 {
		text := string(key)
		out.noKey = &text
	}
	var err error
	if out.key, err = c.key.records.Decode(key); err != nil {
		return out, fmt.Errorf("key: %w", err)
	}
	out.value, err = c.value.records.Decode(r.Value)
	if err != nil {
		return out, fmt.Errorf("value: %w", err)
	}
	return out, nil
}

// The sizes of what stands behind the key in the keys of windows.
const (
	timeWindowBytes = 8
	sessionBytes    = 16
)

var errNoWindow = errors.New("the key is too short to hold a window")

// windowOf reads the window of a key, and returns the key without it.
func windowOf(of *catalog.Source, key []byte) (*window, []byte, error) {
	if of.Window.Kind == catalog.Session {
		if len(key) < sessionBytes {
			return nil, nil, errNoWindow
		}
		return &window{int64(windowed.Start(key)), int64(windowed.SessionEnd(key)), "session"}, windowed.SessionInner(key), nil
	}
	if len(key) < timeWindowBytes {
		return nil, nil, errNoWindow
	}
	start := windowed.Start(key)
	return &window{int64(start), int64(windowed.End(start, record.Timestamp(of.Window.SizeMs))), "time"}, windowed.Inner(key), nil
}

// withWindow puts the window of a test's record behind its key.
func withWindow(of *catalog.Source, key []byte, at *window) ([]byte, error) {
	switch {
	case !of.Window.Windowed() && at == nil || key == nil:
		return key, nil
	case !of.Window.Windowed():
		return nil, fmt.Errorf("it has a window, but the keys of %s have none", of.Name)
	case at == nil:
		return nil, fmt.Errorf("the keys of %s have a window: say \"window\": {\"start\": ms, \"end\": ms}", of.Name)
	case of.Window.Kind == catalog.Session:
		return windowed.AppendSession(nil, key, record.Timestamp(at.Start), record.Timestamp(at.End)), nil
	}
	return windowed.AppendTime(nil, key, record.Timestamp(at.Start)), nil
}
