package host

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/java"
)

// A shape is a format that bytes may have. text is false for bytes that are not of it.
type shape struct {
	name string
	sure bool // what fits has no other format
	text func([]byte) (string, bool)
}

// plainShapes are those that need nothing but the bytes, in the order in which they are preferred.
var plainShapes = []shape{
	{name: "JSON", text: func(b []byte) (string, bool) { return string(b), json.Valid(b) }},
	{name: "KAFKA_INT", text: func(b []byte) (string, bool) {
		return fixed(b, 4, func() string { return fmt.Sprint(int32(binary.BigEndian.Uint32(b))) })
	}},
	{name: "KAFKA_BIGINT", text: func(b []byte) (string, bool) {
		return fixed(b, 8, func() string { return fmt.Sprint(int64(binary.BigEndian.Uint64(b))) })
	}},
	{name: "KAFKA_DOUBLE", text: func(b []byte) (string, bool) {
		return fixed(b, 8, func() string { return string(java.AppendDouble(nil, math.Float64frombits(binary.BigEndian.Uint64(b)))) })
	}},
	{name: "KAFKA_STRING", text: func(b []byte) (string, bool) { return string(b), readable(b) }},
}

// windowShapes are those of texts with the bounds of a window behind them.
var windowShapes = []shape{
	{name: "SESSION(KAFKA_STRING)", text: func(b []byte) (string, bool) {
		text, times, ok := windowed(b, 2)
		if !ok || times[0] < times[1] {
			return "", false
		}
		return fmt.Sprintf("[%s@%d/%d]", text, times[1], times[0]), true
	}},
	{name: "HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING)", text: func(b []byte) (string, bool) {
		text, times, ok := windowed(b, 1)
		if !ok {
			return "", false
		}
		return fmt.Sprintf("[%s@%d/-]", text, times[0]), true
	}},
}

func keyShapes(topic string, schemas format.Schemas) []shape {
	return slices.Concat(registeredShapes(topic, true, schemas), plainShapes, windowShapes)
}

func valueShapes(topic string, schemas format.Schemas) []shape {
	return slices.Concat(registeredShapes(topic, false, schemas), plainShapes)
}

func fixed(b []byte, size int, text func() string) (string, bool) {
	if len(b) != size {
		return "", false
	}
	return text(), true
}

// readable tells text from bytes that happen to be UTF-8.
func readable(b []byte) bool {
	return utf8.Valid(b) && !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' })
}

// windowed takes the times of a window from behind a text.
func windowed(b []byte, times int) (text string, at []int64, ok bool) {
	n := len(b) - 8*times
	if n < 0 || !readable(b[:n]) {
		return "", nil, false
	}
	for i := n; i < len(b); i += 8 {
		ms := int64(binary.BigEndian.Uint64(b[i:]))
		if at = append(at, ms); ms < 0 {
			return "", nil, false
		}
	}
	return string(b[:n]), at, true
}

// registeredShapes are the formats of records that begin with the id of a schema.
func registeredShapes(topic string, key bool, schemas format.Schemas) []shape {
	if schemas == nil {
		return nil
	}
	r := &registered{topic: topic, key: key, schemas: schemas, known: map[uint32]rendering{}}
	var out []shape
	for _, name := range []string{format.Avro, format.Protobuf, format.JSONSR} {
		out = append(out, shape{name: name, sure: true, text: func(b []byte) (string, bool) { return r.text(name, b) }})
	}
	return out
}

// registered reads the records of a topic by their schemas.
type registered struct {
	topic   string
	key     bool
	schemas format.Schemas
	known   map[uint32]rendering // by the schema's id
}

// A rendering reads the records of one schema and writes them as JSON. Without a name there is none.
type rendering struct {
	name     string
	from, to format.Codec
}

const idBytes = 5 // a zero, and the id

func (r *registered) text(name string, b []byte) (string, bool) {
	if len(b) < idBytes || b[0] != 0 {
		return "", false
	}
	id := binary.BigEndian.Uint32(b[1:])
	as, seen := r.known[id]
	if !seen {
		var err error
		if as, err = r.rendering(id); err != nil && !errors.Is(err, format.ErrNoSchema) {
			return "", false // the registry may answer for the next record
		}
		r.known[id] = as
	}
	if as.name != name {
		return "", false
	}
	values, err := as.from.Decode(b)
	if err != nil {
		return "", false
	}
	out, err := as.to.Append(nil, values)
	return string(out), err == nil
}

// rendering makes the one of a schema: of a structure, or of a value that stands for itself.
func (r *registered) rendering(id uint32) (rendering, error) {
	found, err := r.schemas.ByID(int(id))
	if err != nil {
		return rendering{}, err
	}
	name := map[string]string{"AVRO": format.Avro, "PROTOBUF": format.Protobuf, "JSON": format.JSONSR}[found.Kind]
	for _, unwrapped := range []bool{false, true} {
		s := format.Side{
			Spec: format.Spec{Name: name}.With(format.PropSchemaID, strconv.Itoa(int(id))), Key: r.key, Unwrapped: unwrapped, Topic: r.topic, Schemas: r.schemas,
		}
		if s.Schema, err = format.Infer(s); err != nil {
			continue
		}
		out := rendering{name: name}
		if out.from, err = format.New(s); err != nil {
			continue
		}
		s.Spec = format.Spec{Name: format.JSON}
		if out.to, err = format.New(s); err == nil {
			return out, nil
		}
	}
	return rendering{}, nil // what is no table of columns is shown as bytes
}

// A guess is which formats all bytes seen so far can have.
type guess struct {
	shapes []shape
	seen   bool
	out    []bool // of shapes, which it cannot be
	some   bool   // there were bytes that have a format
}

func (g *guess) see(b []byte) {
	if b == nil {
		return
	}
	if !g.seen {
		g.seen, g.out = true, make([]bool, len(g.shapes))
	}
	for i, s := range g.shapes {
		if _, ok := s.text(b); ok {
			g.some = true
		} else {
			g.out[i] = true
		}
	}
}

// String names the formats that fit all: as bytes only where nothing fits any.
func (g *guess) String() string {
	if !g.seen {
		return "unknown: there was nothing but nulls"
	}
	var names []string
	for i, s := range g.shapes {
		switch {
		case g.out[i]:
		case s.sure:
			return s.name
		default:
			names = append(names, s.name)
		}
	}
	switch {
	case len(names) > 0:
		return strings.Join(names, " or ")
	case g.some:
		return "MIXED"
	}
	return "BYTES"
}

// text is the bytes by the first format that fits all, or where none does by the first that fits them.
func (g *guess) text(b []byte) string {
	if b == nil {
		return "<null>"
	}
	mixed := !slices.Contains(g.out, false)
	for i, s := range g.shapes {
		if g.out[i] && !mixed {
			continue
		}
		if text, ok := s.text(b); ok {
			return text
		}
	}
	return base64.StdEncoding.EncodeToString(b)
}
