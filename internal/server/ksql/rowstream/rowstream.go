// Package rowstream writes results of queries in the encodings of ksqlDB's HTTP interface.
//
// Callers: package ksql, with the rows of package query. It calls format for values, protorow for the schema of rows in Protobuf.
//
// Owner and locks: an Encoding belongs to one goroutine.
//
// Format, by media type:
//
//	application/vnd.ksql.v1+json            [{"header":…},⏎{"row":{"columns":[…]}},⏎…{"finalMessage":…}]
//	application/vnd.ksql.v1+protobuf        the same with the schema in the header, and rows {"row":{"protobufBytes":"…"}}
//	application/vnd.ksqlapi.delimited.v1    {"queryId":…,"columnNames":[…],"columnTypes":[…]}⏎[…]⏎…
//	application/json                        [{"queryId":…,…},[…],…]
//
// An element of a push query ends with its comma and the end of its line, so that whoever reads by lines has it at once; its last element is
// a message. The comma of a pull query's element comes with the next one, for it may end without a message. Rows that went away are rows
// with "tombstone" in the first two; the others have no words for them and leave them out.
//
// Not here: HTTP, errors before the first row.
package rowstream

import (
	"encoding/base64"
	"fmt"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/protorow"
	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/row"
)

// The media types.
const (
	Streamed  = "application/vnd.ksql.v1+json"
	Protobuf  = "application/vnd.ksql.v1+protobuf"
	Delimited = "application/vnd.ksqlapi.delimited.v1"
	JSON      = "application/json"
)

// completed is the last message of a push query that gives none.
const completed = "Query Completed"

// An Encoding writes one result: Begin, rows, then End or Fail. Each appends to dst.
type Encoding interface {
	Begin(dst []byte) []byte
	Row(dst []byte, r query.Row) ([]byte, error)
	// End says why the query ended; empty: nothing to say.
	End(dst []byte, final string) []byte
	// Fail ends with an error, a JSON object.
	Fail(dst, failure []byte) []byte
}

// New returns the encoding of a result in one of the media types.
func New(mediaType string, h query.Header) (Encoding, error) {
	switch mediaType {
	case Streamed:
		return &streamed{header: h, columns: columnsOf(h.Types())}, nil
	case Protobuf:
		return newProtobuf(h)
	case Delimited:
		return &lines{plain{h, columnsOf(h.Types())}}, nil
	case JSON:
		return &array{plain{h, columnsOf(h.Types())}}, nil
	}
	return nil, fmt.Errorf("results are not written as %s", mediaType)
}

// columns write a row's values.
type columns []format.JSONText

func columnsOf(s row.Schema) columns {
	out := make(columns, len(s))
	for i, c := range s {
		out[i] = format.NewJSONText(c.Type)
	}
	return out
}

// appendRow appends the values as a JSON array.
func (c columns) appendRow(dst []byte, r row.Row) []byte {
	dst = append(dst, '[')
	for i := range c {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c[i].Append(dst, r.At(i))
	}
	return append(dst, ']')
}

// A streamed encoding is a list of objects, each of one kind.
type streamed struct {
	header  query.Header
	columns columns
	schema  string // of the rows in Protobuf
	codec   format.Codec
}

func newProtobuf(h query.Header) (Encoding, error) {
	s := &streamed{header: h, columns: columnsOf(h.Types())}
	var err error
	if s.schema, err = protorow.EntriesText(h.Types()); err != nil {
		return nil, fmt.Errorf("rows in Protobuf: %w", err)
	}
	s.codec, err = format.New(format.Side{Spec: format.Spec{Name: format.ProtobufNoSR}, Schema: h.Types()})
	if err != nil {
		return nil, fmt.Errorf("rows in Protobuf: %w", err)
	}
	return s, nil
}

// Begin implements Encoding.
func (s *streamed) Begin(dst []byte) []byte {
	dst = append(dst, `[{"header":{"queryId":`...)
	dst = jsontext.AppendString(dst, s.header.ID)
	dst = append(dst, `,"schema":`...)
	dst = jsontext.AppendString(dst, schemaText(s.header))
	if s.codec != nil {
		dst = append(dst, `,"protoSchema":`...)
		dst = jsontext.AppendString(dst, s.schema)
	}
	return s.after(append(dst, "}}"...))
}

// schemaText lists the columns in SQL. Those of the key are marked in pull queries only.
func schemaText(h query.Header) string {
	text := ""
	for i, c := range h.Columns {
		if i > 0 {
			text += ", "
		}
		text += row.Quote(c.Name) + " " + c.Type.String()
		if c.Key && !h.Push {
			text += " KEY"
		}
	}
	return text
}

// before and after write what stands between elements.
func (s *streamed) before(dst []byte) []byte {
	if s.header.Push {
		return dst
	}
	return append(dst, ",\n"...)
}

func (s *streamed) after(dst []byte) []byte {
	if s.header.Push {
		return append(dst, ",\n"...)
	}
	return dst
}

// Row implements Encoding.
func (s *streamed) Row(dst []byte, r query.Row) ([]byte, error) {
	if s.codec == nil || r.Tombstone {
		return s.after(appendObject(s.before(dst), s.columns, r)), nil
	}
	b, err := s.codec.Append(nil, r.Values)
	if err != nil {
		return dst, err
	}
	dst = append(s.before(dst), `{"row":{"protobufBytes":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return s.after(append(dst, `"}}`...)), nil
}

// appendObject appends a row as an element of a streamed result.
func appendObject(dst []byte, c columns, r query.Row) []byte {
	dst = c.appendRow(append(dst, `{"row":{"columns":`...), r.Values)
	if r.Tombstone {
		dst = append(dst, `,"tombstone":true`...)
	}
	return append(dst, "}}"...)
}

// Objects writes rows each by itself: WebSockets carry them so.
type Objects struct{ columns columns }

// NewObjects returns the Objects of a result.
func NewObjects(h query.Header) Objects { return Objects{columnsOf(h.Types())} }

// Append appends a row.
func (o Objects) Append(dst []byte, r query.Row) []byte { return appendObject(dst, o.columns, r) }

// End implements Encoding. Pull queries on tables say nothing.
func (s *streamed) End(dst []byte, final string) []byte {
	switch {
	case final == "" && s.header.Push:
		final = completed
	case s.header.Table && !s.header.Push:
		final = ""
	}
	if final != "" {
		dst = append(s.before(dst), `{"finalMessage":`...)
		dst = append(jsontext.AppendString(dst, final), '}')
	}
	return append(dst, ']')
}

// Fail implements Encoding.
func (s *streamed) Fail(dst, failure []byte) []byte {
	dst = append(s.before(dst), `{"errorMessage":`...)
	return append(append(dst, failure...), "}]"...)
}

// A plain encoding has arrays of values behind an object that names the columns.
type plain struct {
	header  query.Header
	columns columns
}

func (p plain) appendHeader(dst []byte) []byte {
	dst = append(dst, `{"queryId":`...)
	dst = jsontext.AppendString(dst, p.header.ID)
	dst = append(dst, `,"columnNames":[`...)
	for i, c := range p.header.Columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendString(dst, c.Name)
	}
	dst = append(dst, `],"columnTypes":[`...)
	for i, c := range p.header.Columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendString(dst, c.Type.String())
	}
	return append(dst, "]}"...)
}

// lines has an element a line.
type lines struct{ plain }

// Begin implements Encoding.
func (l *lines) Begin(dst []byte) []byte { return append(l.appendHeader(dst), '\n') }

// Row implements Encoding.
func (l *lines) Row(dst []byte, r query.Row) ([]byte, error) {
	if r.Tombstone {
		return dst, nil
	}
	return append(l.columns.appendRow(dst, r.Values), '\n'), nil
}

// End implements Encoding.
func (l *lines) End(dst []byte, _ string) []byte { return dst }

// Fail implements Encoding.
func (l *lines) Fail(dst, failure []byte) []byte { return append(append(dst, failure...), '\n') }

// array is one array.
type array struct{ plain }

// Begin implements Encoding.
func (a *array) Begin(dst []byte) []byte { return a.appendHeader(append(dst, '[')) }

// Row implements Encoding.
func (a *array) Row(dst []byte, r query.Row) ([]byte, error) {
	if r.Tombstone {
		return dst, nil
	}
	return a.columns.appendRow(append(dst, ','), r.Values), nil
}

// End implements Encoding.
func (a *array) End(dst []byte, _ string) []byte { return append(dst, ']') }

// Fail implements Encoding.
func (a *array) Fail(dst, failure []byte) []byte {
	return append(append(append(dst, ','), failure...), ']')
}
