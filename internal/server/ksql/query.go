package ksql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/mainstemio/mainstem/internal/server/ksql/rowstream"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/session"
)

// The encodings of results by path, the default first.
var (
	queryMedia  = []string{rowstream.Streamed, rowstream.JSON, rowstream.Delimited, rowstream.Protobuf}
	streamMedia = []string{rowstream.Delimited, rowstream.JSON, rowstream.Streamed, rowstream.Protobuf}
)

// query serves /query: what is JSON elsewhere is a list of objects here.
func (h *handlers) query(w http.ResponseWriter, r *http.Request) {
	media, ok := choose(r, queryMedia...)
	if !ok {
		notAcceptable(w, queryMedia)
		return
	}
	encoding := media
	if media == rowstream.JSON {
		encoding = rowstream.Streamed
	}
	req, f := statementsOf(w, r, "ksql")
	switch {
	case f != nil:
		f.send(w)
	case isPrint(req.Text):
		h.print(w, r, req)
	default:
		h.stream(w, r, req, mediaAs{media, encoding})
	}
}

// queryStream serves /query-stream.
func (h *handlers) queryStream(w http.ResponseWriter, r *http.Request) {
	media, ok := choose(r, streamMedia...)
	if !ok {
		notAcceptable(w, streamMedia)
		return
	}
	if req, f := statementsOf(w, r, "sql"); f != nil {
		f.send(w)
	} else {
		h.stream(w, r, req, mediaAs{media, media})
	}
}

func notAcceptable(w http.ResponseWriter, media []string) {
	f := &failure{status: http.StatusNotAcceptable, message: fmt.Sprintf("This path answers as one of %v", media)}
	f.send(w)
}

// A mediaAs is the media type that a client is told, and how results are encoded for it.
type mediaAs struct{ media, encoding string }

// stream runs a query and sends its rows until it ends or the client is gone.
func (h *handlers) stream(w http.ResponseWriter, r *http.Request, req Request, as mediaAs) {
	rows, err := h.server.Query(r.Context(), req)
	if err != nil {
		queryFailure(err, req.Text).send(w)
		return
	}
	defer rows.Close()
	encoding, err := rowstream.New(as.encoding, rows.Header())
	if err != nil {
		(&failure{status: http.StatusNotAcceptable, message: err.Error()}).send(w)
		return
	}
	defer h.running.add(rows)()
	w.Header().Set("Content-Type", as.media)
	s := &sending{rows: rows, encoding: encoding, flow: newFlow(w, h.clock)}
	if failed := s.run(r.Context()); failed != nil {
		failed.send(w)
	}
}

// A sending is a result on its way to a client.
type sending struct {
	rows     query.Rows
	encoding rowstream.Encoding
	flow     *flow
	begun    bool // the client has the header
}

// run sends all rows. It returns a failure that came before the header.
func (s *sending) run(ctx context.Context) *failure {
	if s.rows.Header().Push { // it may take long until there is a row
		s.begin()
		if s.flow.send() != nil {
			return nil
		}
	}
	for {
		batch, err := s.rows.Next(ctx)
		if err != nil {
			return s.end(ctx, err)
		}
		if s.begin(); s.batch(batch) != nil {
			return nil
		}
	}
}

func (s *sending) begin() {
	if !s.begun {
		s.begun = true
		s.flow.buf = s.encoding.Begin(s.flow.buf)
	}
}

// batch sends some rows. An error is of the client.
func (s *sending) batch(rows []query.Row) (err error) {
	for _, r := range rows {
		if s.flow.buf, err = s.encoding.Row(s.flow.buf, r); err != nil {
			return s.fail(err)
		}
		if len(s.flow.buf) > pieceBytes {
			if err := s.flow.write(); err != nil {
				return err
			}
		}
	}
	return s.flow.send()
}

// end sends why there are no more rows.
func (s *sending) end(ctx context.Context, err error) *failure {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, query.ErrClosed): // by another request
		final := ""
		if errors.Is(err, io.EOF) {
			final = s.rows.Final()
		}
		s.begin()
		s.flow.buf = s.encoding.End(s.flow.buf, final)
		_ = s.flow.send() // the client is gone if it fails
	case ctx.Err() != nil: // the client is gone, or the server ends
	case !s.begun:
		return failureOf(err, "")
	default:
		_ = s.fail(err)
	}
	return nil
}

func (s *sending) fail(err error) error {
	s.flow.buf = s.encoding.Fail(s.flow.buf, failureOf(err, "").bytes())
	return errors.Join(err, s.flow.send())
}

// queryFailure is the failure of a query that did not begin. Errors in the meaning of push queries are not errors of statements for clients.
func queryFailure(err error, text string) *failure {
	f := failureOf(err, text)
	var at *session.StatementError
	if errors.As(err, &at) && at.Phase == session.Plan && isPush(at.Statement) {
		return &failure{status: f.status, message: f.message}
	}
	return f
}

func isPush(text string) bool {
	st, err := parse.Statement(text)
	if err != nil {
		return false
	}
	s, ok := st.(*ast.Select)
	return ok && s.Query.Emit != ast.EmitNone
}
