package ksql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/mainstemio/mainstem/internal/server/ksql/rowstream"
	"github.com/mainstemio/mainstem/internal/sql/query"
)

// maxReason is how many bytes a WebSocket's last frame has for words.
const maxReason = 123

// webSocketVersion is the only one of the protocol.
const webSocketVersion = "1"

// webSocket serves /ws/query?request={"ksql": "SELECT …;", "streamsProperties": {…}}. Every frame is JSON. A query that ends closes with 1000;
// one that cannot begin with 1003 and what is wrong, one that fails later with 1011.
func (h *handlers) webSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the client has the answer
	}
	defer conn.CloseNow() //nolint:errcheck // where it is closed already there is nothing to do
	s := &socket{conn: conn, ctx: conn.CloseRead(r.Context())}
	req, err := socketRequest(r)
	switch {
	case err != nil:
		s.close(websocket.StatusUnsupportedData, err.Error())
	case isPrint(req.Text):
		s.print(h.server, req)
	default:
		s.query(h, req)
	}
}

// socketRequest reads what the address asks for.
func socketRequest(r *http.Request) (req Request, err error) {
	asked := r.URL.Query()
	if v := asked.Get("version"); v != "" && v != webSocketVersion {
		return req, fmt.Errorf("received invalid api version: %s", v)
	}
	text := asked.Get("request")
	if text == "" {
		return req, errors.New("Error parsing request: missing request parameter") //nolint:staticcheck // clients know the sentence
	}
	var b body
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return req, fmt.Errorf("Error parsing request: %w", err) //nolint:staticcheck // as above
	}
	if err := b.token(); err != nil {
		return req, err
	}
	if strings.TrimSpace(b.KSQL) == "" {
		return req, errors.New(`Error parsing request: "ksql" field of "request" must be populated`) //nolint:staticcheck // as above
	}
	return Request{Text: b.KSQL, Settings: texts(b.StreamsProperties), Variables: texts(b.Variables)}, nil
}

// A socket is a WebSocket whose client only listens. ctx ends when the client is gone.
type socket struct {
	conn *websocket.Conn
	ctx  context.Context //nolint:containedctx // it is the connection's own
}

// send sends a frame; a client that does not read it in time is dropped.
func (s *socket) send(frame []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, frame)
}

// close ends the conversation; what is too long of the reason is cut.
func (s *socket) close(code websocket.StatusCode, reason string) {
	if len(reason) > maxReason {
		const more = "..."
		cut := maxReason - len(more)
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut] + more
	}
	_ = s.conn.Close(code, reason) // the client is gone if it fails
}

// over closes as a result ended: complete, or with an error.
func (s *socket) over(err error) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, query.ErrClosed): // by another request
		s.close(websocket.StatusNormalClosure, "done")
	case s.ctx.Err() == nil:
		s.close(websocket.StatusInternalError, err.Error())
	}
}

func (s *socket) query(h *handlers, req Request) {
	rows, err := h.server.Query(s.ctx, req)
	if err != nil {
		s.close(websocket.StatusUnsupportedData, err.Error())
		return
	}
	defer rows.Close()
	defer h.running.add(rows)()
	if s.send(columnsOf(rows.Header())) != nil {
		return
	}
	objects := rowstream.NewObjects(rows.Header())
	for {
		batch, err := rows.Next(s.ctx)
		if err != nil {
			s.over(err)
			return
		}
		for _, r := range batch {
			if s.send(objects.Append(nil, r)) != nil {
				return
			}
		}
	}
}

// columnsOf is the first frame of a query: its columns as DESCRIBE shows them.
func columnsOf(h query.Header) []byte {
	fields := make([]any, len(h.Columns))
	for i, c := range h.Columns {
		f := map[string]any{"name": c.Name, "schema": schemaOf(c.Type)}
		if c.Key {
			f["type"] = "KEY"
		}
		fields[i] = f
	}
	b, _ := json.Marshal(fields) // names and types
	return b
}

func (s *socket) print(server Server, req Request) {
	lines, err := server.Print(s.ctx, req)
	if err != nil {
		s.close(websocket.StatusUnsupportedData, err.Error())
		return
	}
	defer lines.Close()
	for {
		more, err := lines.Next(s.ctx)
		if err != nil {
			s.over(err)
			return
		}
		for _, line := range more {
			frame, _ := json.Marshal(line) // a text
			if s.send(frame) != nil {
				return
			}
		}
	}
}
