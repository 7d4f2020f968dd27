package ast

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestNamesAreQuotedWhereTheyMustBe(t *testing.T) {
	for text, want := range map[string]string{
		"ID": "ID", "A_1@B": "A_1@B", "_": "_", "KEY": "KEY", // free words are names
		"Id": "`Id`", "": "``", "SELECT": "`SELECT`", "1A": "`1A`", "@A": "`@A`", "A-B": "`A-B`", "A`B": "`A``B`", "É": "`É`",
	} {
		if got := Quote(text); got != want {
			t.Errorf("%q is written %s, should be %s", text, got, want)
		}
	}
	if got := (Name{Text: "v", Variable: true}).String(); got != "${v}" {
		t.Errorf("a variable is written %s", got)
	}
}

func TestKeywords(t *testing.T) {
	for word, want := range map[string][2]bool{"SELECT": {true, true}, "KEY": {false, true}, "BANANA": {false, false}, "select": {false, false}} {
		if reserved, keyword := Keyword(word); reserved != want[0] || keyword != want[1] {
			t.Errorf("%s: reserved %v, keyword %v", word, reserved, keyword)
		}
	}
	if words := Keywords(); len(words) != len(keywords) || !slices.Contains(words, "SELECT") {
		t.Errorf("%d keywords listed of %d", len(words), len(keywords))
	}
}

func TestUnits(t *testing.T) {
	for word, want := range map[string]time.Duration{
		"MILLISECOND": time.Millisecond, "SECONDS": time.Second, "MINUTE": time.Minute, "HOURS": time.Hour, "DAY": 24 * time.Hour,
	} {
		u, ok := UnitOf(word)
		again, _ := UnitOf(u.String())
		if !ok || u.Length() != want || again != u {
			t.Errorf("%s is %v, %v long", word, u, u.Length())
		}
	}
	if u, ok := UnitOf("YEARS"); ok || u.Length() != 0 {
		t.Error("years have no fixed length")
	}
	for _, c := range []struct {
		d    Duration
		want int64
		ok   bool
	}{
		{Duration{Count: 2, Unit: Minute}, 120_000, true},
		{Duration{Count: -1, Unit: Second}, -1000, true},
		{Duration{Count: math.MaxInt64, Unit: Millisecond}, math.MaxInt64, true},
		{Duration{Count: math.MaxInt64, Unit: Second}, 0, false},
		{Duration{Count: 1}, 0, false},
	} {
		if ms, ok := c.d.Millis(); ok != c.ok || ok && ms != c.want {
			t.Errorf("%+v has %d ms, %v", c.d, ms, ok)
		}
	}
}

func TestIntegerOrBigint(t *testing.T) {
	for v, want := range map[int64]bool{0: false, math.MaxInt32: false, math.MinInt32: false, math.MaxInt32 + 1: true, math.MinInt32 - 1: true} {
		if (&IntegerLiteral{Value: v}).Big() != want {
			t.Errorf("%d needs BIGINT: %v", v, !want)
		}
	}
}

func TestSameLooksThroughSpansAndQuotes(t *testing.T) {
	a := &ColumnRef{Name: Name{Text: "A"}}
	for _, c := range []struct {
		x, y Expr
		want bool
	}{
		{a, &ColumnRef{Span: Span{3, 4}, Name: Name{Text: "A", Quoted: true}}, true},
		{a, &ColumnRef{Name: Name{Text: "a", Quoted: true}}, false},
		{a, nil, false},
		{nil, nil, true},
		{&StringLiteral{Value: "A"}, a, false},
		{&IntegerLiteral{Value: 1}, &DecimalLiteral{Text: "1."}, false},
	} {
		if Same(c.x, c.y) != c.want || Same(c.y, c.x) != c.want {
			t.Errorf("%s and %s: same should be %v", Format(c.x), Format(c.y), c.want)
		}
	}
}

// walked is an expression with a column behind each field that can hold one, and their names in order.
func walked() (Expr, []string) {
	n := 0
	var names []string
	col := func() Expr {
		n++
		name := string(rune('A' + n - 1))
		names = append(names, name)
		return &ColumnRef{Name: Name{Text: name}}
	}
	return &Call{Args: []Expr{
		&Binary{Left: col(), Right: col()},
		&Unary{X: &FieldRef{Base: &Subscript{Base: col(), Index: col()}}},
		&Lambda{Body: &IsNull{X: col()}},
		&Like{X: col(), Pattern: col()},
		&In{X: col(), List: []Expr{col(), col()}},
		&Between{X: col(), Low: col(), High: col()},
		&Case{Operand: col(), Whens: []When{{When: col(), Then: col()}}, Else: col()},
		&Cast{X: &AtTimeZone{X: col()}},
		&ArrayExpr{Elems: []Expr{col()}},
		&MapExpr{Entries: []MapEntry{{Key: col(), Value: col()}}},
		&StructExpr{Fields: []StructEntry{{Value: col()}}},
	}}, names
}

func TestInspectVisitsEveryExpressionInOrder(t *testing.T) {
	e, want := walked()
	g := func() *Grouping { return &Grouping{Exprs: []Expr{e}} }
	q := &Query{
		Select: []SelectItem{&SelectExpr{Expr: e}, &SelectAll{}, &SelectFields{Struct: e}},
		From:   &Join{Left: &Source{}, Right: &Source{}, On: e},
		Where:  e, GroupBy: g(), PartitionBy: g(), Having: e,
	}
	for times, root := range map[int]Node{
		7: &Explain{Statement: &CreateAs{Query: q}}, 1: &InsertValues{Values: []Expr{e}}, 2: &AssertValues{Values: []Expr{e, e}}, 0: &List{},
	} {
		var got []string
		Inspect(root, func(n Node) bool {
			if c, ok := n.(*ColumnRef); ok {
				got = append(got, c.Name.Text)
			}
			return true
		})
		if !slices.Equal(got, slices.Repeat(want, times)) {
			t.Errorf("%T: visits %v", root, got)
		}
	}
	visits := 0
	Inspect(&Select{Query: q}, func(Node) bool { visits++; return visits < 2 })
	Inspect(&InsertInto{Query: q}, func(Node) bool { visits++; return false })
	if visits != 3 {
		t.Errorf("%d visits, though the second node is not entered", visits)
	}
}

func TestFormatOfPartsOfAStatement(t *testing.T) {
	q := &Query{Select: []SelectItem{&SelectAll{}}, From: &Source{Name: Name{Text: "S"}}, Emit: EmitFinal}
	for want, n := range map[string]Node{
		"SELECT * FROM S EMIT FINAL": q, "S": q.From, "*": q.Select[0], "ARRAY<INT>": &ArrayType{Elem: &NamedType{Name: Name{Text: "INT"}}},
		"`x`": Name{Text: "x"}, "": nil,
	} {
		if got := Format(n); got != want {
			t.Errorf("%T is %q, should be %q", n, got, want)
		}
	}
}

func TestKnownIsTheAliasIfThereIsOne(t *testing.T) {
	s := &Source{Name: Name{Text: "S"}}
	if s.Known().Text != "S" {
		t.Error("a source without alias is known by its name")
	}
	if s.Alias = (Name{Text: "T"}); s.Known().Text != "T" {
		t.Error("a source with alias is known by it")
	}
}
