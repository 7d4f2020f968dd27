package host

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
)

// printBytes is how much PRINT reads at once.
const printBytes = 1 << 20

// Lines are what PRINT shows, for /query and the command line. They belong to one goroutine; Close may be called from any.
type Lines struct {
	reader     client.Reader
	interval   int64
	left       int64 // -1: no limit
	seen       int64
	key, value guess
	shown      [2]string // the formats as they were told last
}

// Print begins PRINT topic [FROM BEGINNING] [INTERVAL n] [LIMIT n]. The error is a *session.StatementError; ctx counts for the beginning only.
// Without FROM BEGINNING it begins with what comes from then on.
func (h *Host) Print(ctx context.Context, statement string, variables map[string]string) (*Lines, error) {
	fail := func(at ast.Span, code session.Code, err error) error {
		return &session.StatementError{Phase: session.Plan, Code: string(code), Statement: statement, Err: &session.Error{Code: code, Message: err.Error(), Span: at}, At: parse.PositionOf(statement, at.Start)}
	}
	text, err := parse.Substitute(statement, variables)
	if err != nil {
		return nil, &session.StatementError{Phase: session.Parse, Statement: statement, Err: err}
	}
	st, err := parse.Statement(text)
	if err != nil {
		return nil, &session.StatementError{Phase: session.Parse, Statement: statement, Err: err}
	}
	p, ok := st.(*ast.Print)
	if !ok {
		return nil, fail(st.Pos(), session.CodeElsewhere, fmt.Errorf("only PRINT gives lines: %s", ast.Format(st)))
	}
	n, err := h.Partitions(ctx, p.Topic.Text)
	switch {
	case err != nil:
		return nil, fail(p.Topic.Span, session.CodeHost, err)
	case n == 0:
		return nil, fail(p.Topic.Span, session.CodeUnknown, h.noSuchTopic(ctx, p.Topic.Text))
	}
	_, from, ends, err := h.partitionsOf(ctx, p.Topic.Text)
	if err == nil && !p.FromBeginning {
		from = ends
	}
	l := &Lines{interval: 1, left: -1, key: guess{shapes: keyShapes(p.Topic.Text, h.o.Schemas)}, value: guess{shapes: valueShapes(p.Topic.Text, h.o.Schemas)}}
	if p.Interval != nil {
		l.interval = max(p.Interval.Value, 1)
	}
	if p.Limit != nil {
		l.left = p.Limit.Value
	}
	if err == nil {
		l.reader, err = h.o.Door.OpenReader(ctx, from)
	}
	if err != nil {
		return nil, fail(p.Topic.Span, session.CodeHost, err)
	}
	return l, nil
}

// noSuchTopic says so, with the topic that differs in case only.
func (h *Host) noSuchTopic(ctx context.Context, topic string) error {
	text := "Could not find topic '" + topic + "', or the KSQL user does not have permissions to list the topic. Topic names are case-sensitive."
	names, err := h.o.Door.Names(ctx)
	if err == nil {
		slices.Sort(names)
		for _, name := range names {
			if strings.EqualFold(name, topic) {
				text += "\nDid you mean '" + name + "'?"
			}
		}
	}
	return fmt.Errorf("%s", text)
}

// Next waits for more lines, at least one. It ends with io.EOF when the limit is reached, and with ctx.
func (l *Lines) Next(ctx context.Context) ([]string, error) {
	for {
		if l.left == 0 {
			return nil, io.EOF
		}
		chunks, err := l.reader.Poll(ctx, printBytes)
		if err != nil {
			return nil, err
		}
		var rows []printed
		for i := range chunks {
			rows = append(rows, l.take(&chunks[i])...)
		}
		if lines := l.lines(rows); len(lines) > 0 {
			return lines, nil
		}
	}
}

// Close ends it.
func (l *Lines) Close() { l.reader.Close() }

// A printed record is one that is shown.
type printed struct {
	key, value []byte
	at         record.Timestamp
	partition  int32
}

// take notes what the records of a chunk can be, and keeps those that are shown.
func (l *Lines) take(c *client.Chunk) []printed {
	var out []printed
	for i := range c.Offsets {
		l.seen++
		if (l.seen-1)%l.interval != 0 || l.left == 0 {
			continue
		}
		if l.left > 0 {
			l.left--
		}
		l.key.see(c.Keys[i])
		l.value.see(c.Values[i])
		out = append(out, printed{c.Keys[i], c.Values[i], c.Timestamps[i], c.Partition})
	}
	return out
}

// lines are the rows as text, behind the formats when these have become other ones.
func (l *Lines) lines(rows []printed) []string {
	if len(rows) == 0 {
		return nil
	}
	var out []string
	for i, f := range []struct {
		word string
		of   *guess
	}{{"Key format: ", &l.key}, {"Value format: ", &l.value}} {
		if now := f.of.String(); now != l.shown[i] {
			l.shown[i] = now
			out = append(out, f.word+now)
		}
	}
	for _, r := range rows {
		at := time.UnixMilli(int64(r.at)).UTC().Format("2006/01/02 15:04:05.000") + " Z"
		out = append(out, fmt.Sprintf("rowtime: %s, key: %s, value: %s, partition: %d", at, l.key.text(r.key), l.value.text(r.value), r.partition))
	}
	return out
}
