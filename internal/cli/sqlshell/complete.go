package sqlshell

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// patience bounds how long the tab key waits for the node's names.
const patience = time.Second

const keyTab = '\t'

// A completer completes words at the tab key: keywords, functions, streams and tables.
type completer struct {
	out   io.Writer
	names func() []string // of the node; asked anew for each word
}

func newCompleter(s *shell, out io.Writer) *completer {
	return &completer{out, s.names}
}

// key implements the callback of the line editor.
func (c *completer) key(line string, pos int, key rune) (newLine string, newPos int, ok bool) {
	if key != keyTab {
		return "", 0, false
	}
	start := pos
	for start > 0 && isWord(rune(line[start-1])) {
		start--
	}
	word := line[start:pos]
	if word == "" {
		return line, pos, true
	}
	found := matching(word, slices.Concat(ast.Keywords(), c.names()))
	if len(found) == 0 {
		return line, pos, true
	}
	done := commonPrefix(found)
	if len(found) > 1 && len(done) == len(word) {
		fmt.Fprintln(c.out, strings.Join(found, "  "))
		return line, pos, true
	}
	if len(found) == 1 {
		done += " "
	}
	if strings.ToLower(word) == word && word != strings.ToUpper(word) {
		done = strings.ToLower(done) // as the user writes; names in upper case are the same
	}
	return line[:start] + done + line[pos:], start + len(done), true
}

func isWord(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }

// matching are the words that begin with one, in any case, in their order and each once.
func matching(word string, all []string) []string {
	var found []string
	for _, w := range all {
		if strings.HasPrefix(w, strings.ToUpper(word)) {
			found = append(found, w)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func commonPrefix(words []string) string {
	prefix := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// names asks the node for what has a name.
func (s *shell) names() []string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var names []string
	for _, statement := range []string{"LIST STREAMS;", "LIST TABLES;", "LIST FUNCTIONS;"} {
		body, err := s.ask(ctx, "/ksql", mediaKSQL, statement, map[string]any{"ksql": statement})
		if err != nil {
			continue // completion does without
		}
		var all []struct{ Streams, Tables, Functions []struct{ Name string } }
		err = json.NewDecoder(body).Decode(&all)
		_ = body.Close()
		if err != nil {
			continue
		}
		for _, e := range all {
			for _, x := range slices.Concat(e.Streams, e.Tables, e.Functions) {
				names = append(names, x.Name)
			}
		}
	}
	return names
}
