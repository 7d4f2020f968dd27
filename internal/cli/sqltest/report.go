package sqltest

import (
	"fmt"
	"io"
	"strings"
)

// maxShown bounds how many differences of a test are printed as text.
const maxShown = 10

// A report says how a test ended.
type report struct {
	Name        string       `json:"test"`
	OK          bool         `json:"ok"`
	Error       string       `json:"error,omitempty"` // what ended it
	Differences []difference `json:"differences,omitempty"`
	Notes       []string     `json:"notes,omitempty"` // records that were left out, expressions that failed
}

// A difference is a record that is not as it should be.
type difference struct {
	Line     int      `json:"line,omitempty"`   // of the ASSERT statement
	Source   string   `json:"source,omitempty"` // stream or table that is not as it should be
	Topic    string   `json:"topic,omitempty"`
	Position int      `json:"position,omitempty"` // of the record among those of the topic, from 1
	Fields   []string `json:"fields,omitempty"`
	Expected string   `json:"expected,omitempty"` // empty: there should be no record
	Got      string   `json:"got,omitempty"`      // empty: there is no record
}

func (r *report) print(w io.Writer) error {
	var b strings.Builder
	if r.OK {
		fmt.Fprintf(&b, "ok    %s\n", r.Name)
	} else {
		fmt.Fprintf(&b, "FAIL  %s\n", r.Name)
	}
	if r.Error != "" {
		fmt.Fprintf(&b, "      %s\n", indented(r.Error))
	}
	for i, d := range r.Differences {
		if i == maxShown {
			fmt.Fprintf(&b, "      and %s more\n", number(len(r.Differences)-i, "difference"))
			break
		}
		d.print(&b)
	}
	if !r.OK {
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "      note: %s\n", indented(n))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (d difference) print(b *strings.Builder) {
	b.WriteString("      ")
	if d.Line > 0 {
		fmt.Fprintf(b, "line %d: ", d.Line)
	}
	if d.Source != "" {
		b.WriteString(d.Source + ": ")
	} else {
		fmt.Fprintf(b, "%s, record %d: ", d.Topic, d.Position)
	}
	switch {
	case d.Got == "":
		b.WriteString("missing\n")
	case d.Expected == "":
		b.WriteString("unexpected\n")
	default:
		b.WriteString(strings.Join(d.Fields, "; ") + "\n")
	}
	if d.Expected != "" {
		fmt.Fprintf(b, "        expected  %s\n", d.Expected)
	}
	if d.Got != "" {
		fmt.Fprintf(b, "        got       %s\n", d.Got)
	}
}

func indented(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n      ")
}
