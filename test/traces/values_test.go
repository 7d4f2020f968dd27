package traces

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A val is a key or value of a case: null, a string or an int64.
type val struct {
	set   bool
	isInt bool
	s     string
	i     int64
}

// windowed is the key of a window.
type windowed = stream.Windowed[val]

// IsNull tells the engine which values are null.
func (v val) IsNull() bool { return !v.set }

func text(s string) val    { return val{set: true, s: s} }
func number(i int64) val   { return val{set: true, isInt: true, i: i} }
func (v val) isText() bool { return v.set && !v.isInt }

// str is the function S of the cases.
func (v val) str() string {
	switch {
	case !v.set:
		return "null"
	case v.isInt:
		return strconv.FormatInt(v.i, 10)
	}
	return v.s
}

// exact keeps types and null apart, for comparing.
func (v val) exact() string {
	if v.isText() {
		return strconv.Quote(v.s)
	}
	return v.str()
}

// fromJSON converts a key or value of a case.
func fromJSON(x any) val {
	switch x := x.(type) {
	case nil:
		return val{}
	case string:
		return text(x)
	case json.Number:
		return number(integer(x))
	}
	panic(notBuilt(fmt.Sprintf("value of type %T", x)))
}

// A key is any key, as functions see it: windowed or not.
type key struct {
	val
	windowed   bool
	start, end record.Timestamp
}

func (k key) str() string {
	if k.windowed {
		return fmt.Sprintf("%s@%d/%d", k.val.str(), k.start, k.end)
	}
	return k.val.str()
}

func (k key) exact() string {
	if k.windowed {
		return fmt.Sprintf("%s@%d/%d", k.val.exact(), k.start, k.end)
	}
	return k.val.exact()
}

func keyFromJSON(x any) key {
	w, ok := x.(map[string]any)
	if !ok {
		return key{val: fromJSON(x)}
	}
	return key{val: fromJSON(w["k"]), windowed: true, start: record.Timestamp(integer(w["s"])), end: record.Timestamp(integer(w["e"]))}
}

func fromPlain(k val) key { return key{val: k} }
func toPlain(k key) val   { return k.val }

func fromWindowed(k windowed) key {
	return key{val: k.Key, windowed: true, start: k.Start, end: k.End}
}
func toWindowed(k key) windowed { return windowed{Key: k.val, Start: k.start, End: k.end} }

// A typed is the serde of one of the types string and int64.
type typed struct{ int64s bool }

func serdeOf(kind string) serde.Serde[val] {
	switch kind {
	case "string", "int64":
		return typed{kind == "int64"}
	}
	panic(notBuilt("type " + kind))
}

// windowedSerde returns the serde of a type tw:N or sw.
func windowedSerde(kind string) serde.Serde[windowed] {
	if kind == "sw" {
		return stream.SessionWindowedSerde[val](typed{})
	}
	size, err := strconv.ParseInt(strings.TrimPrefix(kind, "tw:"), 10, 64)
	if err != nil {
		panic(notBuilt("type " + kind))
	}
	return stream.WindowedSerde[val](typed{}, time.Duration(size)*time.Millisecond)
}

func isWindowed(kind string) bool { return kind == "sw" || strings.HasPrefix(kind, "tw:") }

// HoldsNull implements serde.Serde.
func (typed) HoldsNull() bool { return true }

var errWrongType = errors.New("a value of the other type")

// Append implements serde.Serde.
func (t typed) Append(dst []byte, v val) ([]byte, error) {
	switch {
	case !v.set:
		return nil, nil
	case v.isInt != t.int64s:
		return nil, errWrongType
	case v.isInt:
		return binary.BigEndian.AppendUint64(dst, uint64(v.i)), nil
	}
	return append(dst, v.s...), nil
}

var errSize = errors.New("an int64 has 8 bytes")

// Decode implements serde.Serde.
func (t typed) Decode(b []byte) (val, error) {
	switch {
	case b == nil:
		return val{}, nil
	case !t.int64s:
		return text(string(b)), nil
	case len(b) != 8:
		return val{}, errSize
	}
	return number(int64(binary.BigEndian.Uint64(b))), nil
}

// decodeKey reads a key of any type from bytes.
func decodeKey(kind string, b []byte) (key, error) {
	if !isWindowed(kind) {
		v, err := serdeOf(kind).Decode(b)
		return key{val: v}, err
	}
	w, err := windowedSerde(kind).Decode(b)
	return fromWindowed(w), err
}
