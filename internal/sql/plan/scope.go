package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/row"
)

// The pseudo columns.
const (
	rowTime      = "ROWTIME"
	rowPartition = "ROWPARTITION"
	rowOffset    = "ROWOFFSET"
	windowStart  = "WINDOWSTART"
	windowEnd    = "WINDOWEND"
	rowKey       = "ROWKEY"
)

// isPseudo tells the names that no column of a source may have.
func isPseudo(name string) bool {
	switch name {
	case rowTime, rowPartition, rowOffset, windowStart, windowEnd:
		return true
	}
	return false
}

// A columnSet is columns that are found by their names without a look at each: statements have up to 10,000, and name all of them.
type columnSet struct {
	list   []Column // which may only grow
	byName map[string][]int
	known  int // how many of list are in byName
}

// named returns the places of the columns of a name.
func (s *columnSet) named(name string) []int {
	if s.byName == nil {
		s.byName = make(map[string][]int, len(s.list))
	}
	for ; s.known < len(s.list); s.known++ {
		n := s.list[s.known].Name
		s.byName[n] = append(s.byName[n], s.known)
	}
	return s.byName[name]
}

// A scope finds columns among those of a layout.
type scope struct {
	columns *columnSet
	aliases []string
	known   []Column // what may be meant by a wrong name; nil: the layout's
	where   string   // the clause, for messages
	types   *catalog.Catalog
}

// NamedType implements expr.TypeScope.
func (s *scope) NamedType(name string) *row.Type { return s.types.Type(name) }

// Column implements expr.Scope.
func (s *scope) Column(ref *ast.ColumnRef) (index int, t *row.Type, err error) {
	var found []int
	for _, i := range s.columns.named(ref.Name.Text) {
		if !ref.Source.Given() || s.columns.list[i].Source == ref.Source.Text {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], s.columns.list[found[0]].Type, nil
	case len(found) > 1:
		return 0, nil, coded(codeColumn, errorAt(ref, "Column '%s' is ambiguous. Could be %s.", ref.Name.Text, s.candidates(found)))
	case ref.Source.Given() && !slices.Contains(s.aliases, ref.Source.Text):
		e := errorAt(ref, "'%s' is not a valid stream/table name or alias.", ref.Source.Text)
		return 0, nil, unknown(e, ref.Source.Text, s.aliases)
	}
	return 0, nil, &Error{
		Code: codeColumn, Message: fmt.Sprintf("%s column '%s' cannot be resolved.", s.where, refText(ref)), Span: ref.Span,
		Hint: nearest(ref.Name.Text, append(s.known[:len(s.known):len(s.known)], s.columns.list...)),
	}
}

func (s *scope) candidates(found []int) string {
	var names []string
	for _, i := range found {
		c := s.columns.list[i]
		names = append(names, c.Source+"."+c.Name)
	}
	return strings.Join(names, " or ")
}

func refText(ref *ast.ColumnRef) string {
	if ref.Source.Given() {
		return ref.Source.Text + "." + ref.Name.Text
	}
	return ref.Name.Text
}

// nearest names the column that a wrong name may have meant.
func nearest(name string, columns []Column) string {
	var known []string
	for _, c := range columns {
		known = append(known, c.Name)
	}
	best := parse.Nearest(name, known)
	if best == "" {
		return ""
	}
	return "did you mean " + row.Quote(best) + "?"
}
