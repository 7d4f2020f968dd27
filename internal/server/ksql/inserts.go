package ksql

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/internal/server/ksql/rowstream"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/row"
)

// Bounds of /inserts-stream.
const (
	maxLine  = 4 << 20 // bytes of a row
	maxBatch = 1000    // rows that are written together
)

// inserts serves /inserts-stream. Rows that have arrived together are written together; the answer ends with the request, or at the first
// row that cannot be written.
func (h *handlers) inserts(w http.ResponseWriter, r *http.Request) {
	media, ok := choose(r, rowstream.Delimited, rowstream.JSON)
	if !ok {
		notAcceptable(w, []string{rowstream.Delimited, rowstream.JSON})
		return
	}
	s := &insertion{acks: acks{flow: newFlow(w, h.clock), array: media == rowstream.JSON}, lines: bufio.NewReaderSize(r.Body, 64<<10)}
	f := s.open(r.Context(), h.server)
	if f == nil {
		f = fullDuplex(s.acks.flow.control)
	}
	if f != nil {
		f.send(w)
		return
	}
	w.Header().Set("Content-Type", media)
	if s.acks.begin() == nil {
		s.run(r.Context())
	}
}

// fullDuplex lets HTTP/1.1 answer while the request goes on; HTTP/2 always does.
func fullDuplex(c *http.ResponseController) *failure {
	if err := c.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return &failure{status: http.StatusInternalServerError, message: err.Error()}
	}
	return nil
}

// An insertion is the rows of one request on their way into a stream.
type insertion struct {
	acks
	lines      *bufio.Reader
	to         Inserter
	key, value row.Schema
	seq        int64 // of the next row
}

// open reads the first line, which names the stream.
func (s *insertion) open(ctx context.Context, server Server) *failure {
	line, err := s.line()
	var args struct {
		Target *string `json:"target"`
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = json.Unmarshal(line, &args)
	}
	switch {
	case err != nil:
		return &failure{status: http.StatusBadRequest, message: `The first line is not JSON of the form {"target": "stream"}: ` + err.Error()}
	case args.Target == nil:
		return &failure{status: http.StatusBadRequest, message: `Missing required creator property 'target'`}
	}
	if s.to, err = server.Insert(ctx, nameOf(*args.Target)); err != nil {
		f := failureOf(err, *args.Target)
		f.statement = "" // there is none
		return f
	}
	s.key, s.value = s.to.Columns()
	return nil
}

// nameOf is an identifier as statements have it: in upper case, unless it stands in quotes.
func nameOf(text string) ast.Name {
	for _, quote := range []string{"`", `"`} {
		if inner, ok := strings.CutPrefix(text, quote); ok {
			inner = strings.TrimSuffix(inner, quote)
			return ast.Name{Text: strings.ReplaceAll(inner, quote+quote, quote), Quoted: true}
		}
	}
	return ast.Name{Text: strings.ToUpper(text)}
}

var errLongLine = fmt.Errorf("a row of more than %d bytes", maxLine)

// line returns the next line without its end; io.EOF comes with a last one that does not end.
func (s *insertion) line() ([]byte, error) {
	var line []byte
	for {
		part, err := s.lines.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, errLongLine
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return bytes.TrimSpace(line), err
		}
	}
}

// waiting tells whether the next line has arrived already.
func (s *insertion) waiting() bool {
	b, _ := s.lines.Peek(s.lines.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// run writes and acknowledges rows until the request ends.
func (s *insertion) run(ctx context.Context) {
	for {
		rows, err := s.batch()
		first := s.seq - int64(len(rows))
		if len(rows) > 0 {
			if failed := s.to.Insert(ctx, rows); failed != nil {
				s.fail(first, failed)
				return
			}
			if s.ack(first, s.seq) != nil {
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			s.end()
			return
		case err != nil:
			s.fail(s.seq, err)
			return
		}
	}
}

// batch reads the rows that are there, at least one unless the request ends.
func (s *insertion) batch() (rows []map[string]row.Value, err error) {
	for len(rows) == 0 || len(rows) < maxBatch && s.waiting() {
		line, end := s.line()
		if end != nil && !errors.Is(end, io.EOF) {
			return rows, end
		}
		if len(line) > 0 {
			one, err := s.row(line)
			if err != nil {
				return rows, err
			}
			rows = append(rows, one)
			s.seq++
		}
		if end != nil {
			return rows, end
		}
	}
	return rows, nil
}

// A rowError is of a row that a client sent.
type rowError struct{ message string }

func (e *rowError) Error() string { return e.message }

// row reads a row: an object of values by the names of columns, which are in upper case unless they stand in quotes.
func (s *insertion) row(line []byte) (map[string]row.Value, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		return nil, &rowError{"Invalid JSON in inserts stream"}
	}
	given := map[string]json.RawMessage{}
	for name, v := range fields {
		column := nameOf(name).Text
		if _, twice := given[column]; twice {
			return nil, &rowError{"Found multiple values for the same column " + column}
		}
		given[column] = v
	}
	out := map[string]row.Value{}
	for i, c := range append(s.key[:len(s.key):len(s.key)], s.value...) {
		text, ok := given[c.Name]
		if !ok || string(text) == "null" {
			if i < len(s.key) {
				return nil, &rowError{"Key field must be specified: " + c.Name}
			}
			continue
		}
		v, err := format.ParseJSON(c.Type, text)
		if err != nil {
			return nil, &rowError{fmt.Sprintf("Can't coerce the value of %s into type %s: %v", c.Name, c.Type, err)}
		}
		out[c.Name] = v
	}
	return out, nil
}

// acks is the answer: an object a row, each on a line of its own or all in an array.
type acks struct {
	flow  *flow
	array bool
	some  bool // there are objects in the array
}

// begin lets the client know that its rows are waited for.
func (a *acks) begin() error { return a.flow.send() }

func (a *acks) open() {
	if a.array && a.some {
		a.flow.buf = append(a.flow.buf, ',')
	} else if a.array {
		a.flow.buf = append(a.flow.buf, '[')
	}
	a.some = true
}

func (a *acks) close() {
	if !a.array {
		a.flow.buf = append(a.flow.buf, '\n')
	}
}

// ack acknowledges the rows from first to before end.
func (a *acks) ack(first, end int64) error {
	for seq := first; seq < end; seq++ {
		a.open()
		a.flow.buf = fmt.Appendf(a.flow.buf, `{"seq":%d,"status":"ok"}`, seq)
		a.close()
	}
	return a.flow.send()
}

// fail says that the rows from seq on were not written, and ends the answer.
func (a *acks) fail(seq int64, err error) {
	status := http.StatusInternalServerError
	var ofRow *rowError
	var ofStatement *session.StatementError
	if errors.As(err, &ofRow) || errors.As(err, &ofStatement) || errors.Is(err, errLongLine) {
		status = http.StatusBadRequest
	}
	a.open()
	a.flow.buf = fmt.Appendf(a.flow.buf, `{"@type":"insert_error","error_code":%d,"message":`, status*100)
	a.flow.buf = jsontext.AppendString(a.flow.buf, err.Error())
	a.flow.buf = fmt.Appendf(a.flow.buf, `,"seq":%d,"status":"error"}`, seq)
	a.close()
	a.end()
}

func (a *acks) end() {
	switch {
	case a.array && !a.some:
		a.flow.buf = append(a.flow.buf, "[]"...)
	case a.array:
		a.flow.buf = append(a.flow.buf, ']')
	}
	_ = a.flow.send() // the client is gone if it fails
}
