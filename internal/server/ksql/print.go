package ksql

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Lines are what PRINT shows of a topic.
type Lines interface {
	// Next waits for more lines, at least one. It ends with io.EOF when the limit is reached, and with ctx.
	Next(ctx context.Context) ([]string, error)
	Close()
}

// print serves PRINT: lines of text, as long as the client reads them.
func (h *handlers) print(w http.ResponseWriter, r *http.Request, req Request) {
	lines, err := h.server.Print(r.Context(), req)
	if err != nil {
		failureOf(err, req.Text).send(w)
		return
	}
	defer lines.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	f := newFlow(w, h.clock)
	for err = f.send(); err == nil; err = f.send() { // the first has no lines: the client knows that it goes on
		var more []string
		if more, err = lines.Next(r.Context()); err != nil {
			break
		}
		for _, line := range more {
			f.buf = append(append(f.buf, line...), '\n')
		}
	}
	if !errors.Is(err, io.EOF) && r.Context().Err() == nil {
		f.buf = append(append(f.buf, "Error: "+err.Error()...), '\n')
		_ = f.send() // the client is gone if it fails
	}
}

// isPrint tells whether a statement is PRINT.
func isPrint(text string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return strings.EqualFold(word, "PRINT")
}
