package sqlshell

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of tables.
const (
	maxHeld  = 1000 // rows of a pull query that are looked at for the widths of the columns
	gap      = "   "
	minWidth = 6  // of a column, in characters
	anyWidth = 16 // of a push query's column where no terminal gives a limit
)

// A rowPrinter shows the rows of one query.
type rowPrinter struct {
	shell *shell
	push  bool
	names []string
	table table
	fixed bool // the widths are: rows go out as they come
	count int
}

// line takes a line of the answer: the header, a row, or an error.
func (r *rowPrinter) line(line []byte, statement string) error {
	line = bytes.TrimSpace(line)
	switch {
	case len(line) == 0:
		return nil
	case line[0] == '[':
		var values []json.RawMessage
		if err := json.Unmarshal(line, &values); err != nil || len(values) != len(r.names) {
			return &Failure{"answer", fmt.Errorf("the node sent a row that is none: %.100q", line), ""}
		}
		if err := r.row(values); err != nil {
			return &Failure{"output", err, ""}
		}
		return nil
	}
	var head struct {
		ColumnNames []string `json:"columnNames"`
		Message     string   `json:"message"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return &Failure{"answer", fmt.Errorf("the node sent a line that is none: %.100q", line), ""}
	}
	if head.ColumnNames == nil {
		_ = r.close() // the error matters more
		return refused(head.Message+placeOf(head.Message, statement), nil)
	}
	r.names = head.ColumnNames
	r.table.names = head.ColumnNames
	if r.push && !r.shell.json {
		return r.fix()
	}
	return nil
}

// fix decides the widths and prints what is held.
func (r *rowPrinter) fix() error {
	r.fixed = true
	width := r.shell.width()
	if r.push {
		r.table.share(width)
	} else {
		r.table.measure(width)
	}
	if err := r.table.header(r.shell.out); err != nil {
		return err
	}
	for _, row := range r.table.rows {
		if err := r.table.line(r.shell.out, row); err != nil {
			return err
		}
	}
	r.table.rows = nil
	return nil
}

func (r *rowPrinter) row(values []json.RawMessage) error {
	r.count++
	if r.shell.json {
		texts := make([][]byte, len(values))
		for i, v := range values {
			texts[i] = v
		}
		return r.shell.object(r.names, texts)
	}
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = cell(v)
	}
	if r.fixed {
		return r.table.line(r.shell.out, cells)
	}
	r.table.rows = append(r.table.rows, cells)
	if len(r.table.rows) == maxHeld {
		return r.fix()
	}
	return nil
}

func (r *rowPrinter) close() error {
	if r.shell.json || r.names == nil {
		return nil
	}
	if !r.fixed {
		if err := r.fix(); err != nil {
			return err
		}
	}
	if r.shell.width() == 0 {
		return nil
	}
	word := "rows"
	if r.count == 1 {
		word = "row"
	}
	_, err := fmt.Fprintf(r.shell.out, "(%d %s)\n", r.count, word)
	return err
}

// object prints a JSON object of the names and the values' JSON.
func (s *shell) object(names []string, values [][]byte) error {
	line := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(append(line, marshal(name)...), ':')
		line = append(line, values[i]...)
	}
	_, err := s.out.Write(append(line, '}', '\n'))
	return err
}

// cell is a value of JSON as a table shows it: texts without their quotes, unless they cannot be shown on one line.
func cell(v json.RawMessage) string {
	var text string
	if len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &text) == nil {
		for _, c := range text {
			if !unicode.IsPrint(c) {
				return strconv.Quote(text)
			}
		}
		return text
	}
	return string(v)
}

// A table is rows of cells below the names of the columns.
type table struct {
	names  []string
	rows   [][]string
	widths []int
	cuts   bool // there is a terminal: what is too wide is cut. Without one it moves the rest
}

// print shows the whole table, cut to a terminal's width if it is not 0.
func (t *table) print(w io.Writer, width int) error {
	t.measure(width)
	if err := t.header(w); err != nil {
		return err
	}
	for _, row := range t.rows {
		if err := t.line(w, row); err != nil {
			return err
		}
	}
	return nil
}

// measure makes each column as wide as its widest cell; where the terminal has not the room, the widest columns give way.
func (t *table) measure(width int) {
	t.widths, t.cuts = make([]int, len(t.names)), width > 0
	total := -len(gap)
	for i, name := range t.names {
		t.widths[i] = utf8.RuneCountInString(name)
		for _, row := range t.rows {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(row[i]))
		}
		total += t.widths[i] + len(gap)
	}
	for width > 0 && total > width {
		widest := 0
		for i, w := range t.widths {
			if w > t.widths[widest] {
				widest = i
			}
		}
		if t.widths[widest] <= minWidth {
			return
		}
		t.widths[widest]--
		total--
	}
}

// share gives all columns the same room, before there are rows.
func (t *table) share(width int) {
	t.widths, t.cuts = make([]int, len(t.names)), width > 0
	for i, name := range t.names {
		if width > 0 {
			t.widths[i] = max(minWidth, (width-len(gap)*(len(t.names)-1))/len(t.names))
		} else {
			t.widths[i] = max(anyWidth, utf8.RuneCountInString(name))
		}
	}
}

func (t *table) header(w io.Writer) error { return t.line(w, t.names) }

// line prints a row.
func (t *table) line(w io.Writer, cells []string) error {
	var b strings.Builder
	for i, c := range cells {
		c = strings.ReplaceAll(c, "\n", " ")
		n := utf8.RuneCountInString(c)
		if i > 0 {
			b.WriteString(gap)
		}
		if t.cuts && n > t.widths[i] {
			c = string([]rune(c)[:t.widths[i]-1]) + "…"
		}
		b.WriteString(c)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(0, t.widths[i]-n)))
		}
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), " ")+"\n")
	return err
}
