package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// A Topic is what a statement says of its topic.
type Topic struct {
	Name       string
	Partitions int32
	Replicas   int
	Configs    map[string]string
}

// TopicOf reads what WITH says of the topic; given tells that it says how many partitions it has.
func TopicOf(props []ast.Property, name string) (t Topic, given bool, err error) {
	w, err := withOf(props, slices.Concat(known(true), []string{withQueryID}))
	if err != nil {
		return t, false, err
	}
	t.Name = name
	n, given, err := w.number(withPartitions)
	if err != nil {
		return t, false, err
	}
	if given && (n < 1 || n > 1<<20) {
		return t, false, w.invalid(withPartitions, strconv.FormatInt(n, 10)+" is not from 1 to 1048576")
	}
	t.Partitions = int32(n)
	if n, _, err = w.number(withReplicas); err != nil {
		return t, false, err
	}
	t.Replicas = int(n)
	if ms, ok, err := w.number(withRetention); err != nil {
		return t, false, err
	} else if ok {
		t.Configs = map[string]string{"retention.ms": strconv.FormatInt(ms, 10)}
	}
	policy, ok, err := w.text(withCleanup)
	if ok {
		if t.Configs == nil {
			t.Configs = map[string]string{}
		}
		t.Configs["cleanup.policy"] = strings.ToLower(policy)
	}
	return t, given, err
}

// QueryID is the id that WITH gives an INSERT INTO, empty if it gives none.
func QueryID(props []ast.Property) string {
	for _, p := range props {
		if s, ok := p.Value.(*ast.StringLiteral); ok && strings.EqualFold(p.Name.Text, withQueryID) {
			return strings.ToUpper(s.Value)
		}
	}
	return ""
}

// CheckReplace says why a source cannot take the place of another: it may have more value columns at the end, and nothing else may differ.
func CheckReplace(old, next *catalog.Source) error {
	refuse := func(reason string) error {
		return errorf("Cannot upgrade data source: DataSource '%s' (%s) cannot be replaced: %s", row.Quote(old.Name), old.Kind(), reason)
	}
	switch {
	case old.Topic != next.Topic:
		return refuse("its topic would change from " + old.Topic + " to " + next.Topic)
	case !old.Key.Equal(next.Key):
		return refuse("The following key columns are changed, missing or reordered: [" + old.Key.String() + "]")
	case !old.KeyFormat.Spec.Equal(next.KeyFormat.Spec) || !old.ValueFormat.Spec.Equal(next.ValueFormat.Spec):
		return refuse("its formats would change")
	case len(next.Value) < len(old.Value) || !next.Value[:len(old.Value)].Equal(old.Value):
		return refuse("The following columns are changed, missing or reordered: [" + missingColumns(old.Value, next.Value) + "]")
	}
	return nil
}

func missingColumns(old, next row.Schema) string {
	var out row.Schema
	for i, c := range old {
		if i >= len(next) || next[i].Name != c.Name || !next[i].Type.Equal(c.Type) {
			out = append(out, c)
		}
	}
	return out.String()
}

func kindText(table bool) string {
	if table {
		return "TABLE"
	}
	return "STREAM"
}

// Alter plans ALTER … ADD COLUMN.
func Alter(c Context, old *catalog.Source, st *ast.AlterSource) (*catalog.Source, error) {
	switch {
	case old.ReadOnly:
		return nil, errorf("Cannot alter %s '%s': ALTER operations are not supported on source %ss.", old.Kind(), old.Name, old.Kind())
	case old.Made:
		return nil, errorf("ALTER command is not supported for CREATE ... AS statements.")
	case old.Table != st.Table:
		return nil, errorAt(st, "Incompatible data source type is %s, but statement was ALTER %s", strings.ToUpper(old.Kind()), kindText(st.Table))
	}
	next := *old
	next.Value = slices.Clone(old.Value)
	for _, e := range st.Add {
		t, err := TypeOf(c.Catalog, e.Type)
		if err != nil {
			return nil, err
		}
		if _, _, taken := next.Column(e.Name.Text); taken {
			return nil, errorAt(e, "Cannot add column %s to schema. A column with the same name already exists.", row.Quote(e.Name.Text))
		}
		if e.Constraint != ast.NoConstraint {
			return nil, errorAt(e, "Only value columns can be added: %s", row.Quote(e.Name.Text))
		}
		next.Value = append(next.Value, row.Column{Name: e.Name.Text, Type: t})
	}
	return &next, nil
}
