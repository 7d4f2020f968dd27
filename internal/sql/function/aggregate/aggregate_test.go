package aggregate_test

import (
	"strconv"
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/cast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/row"
)

// bind makes an aggregate ready for values of the types and for literals.
func bind(t *testing.T, lib *function.Library, name string, types []*row.Type, consts ...row.Value) *function.BoundAggregate {
	t.Helper()
	args := function.Types(types...)
	for i := range consts {
		typ := row.Int
		if consts[i].Kind() == row.KindBoolean {
			typ = row.Boolean
		}
		args = append(args, function.Arg{Type: typ, Const: &consts[i]})
	}
	a, err := lib.Aggregate(name, args)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func result(t *testing.T, a *function.BoundAggregate, state row.Value) string {
	t.Helper()
	if a.Result == nil {
		return cast.Text(state, a.Returns)
	}
	v, err := a.Result(state)
	if err != nil {
		t.Fatal(err)
	}
	return cast.Text(v, a.Returns)
}

func ints(list ...any) (out []row.Value) {
	for _, v := range list {
		switch v := v.(type) {
		case int:
			out = append(out, row.NewInt(int32(v)))
		case nil:
			out = append(out, row.Null)
		}
	}
	return out
}

var lib = builtin.New(builtin.Options{})

// TestAddUndoMerge: values are added one by one; then the last is taken back, where that can be; then the state is merged with that of the
// first two.
func TestAddUndoMerge(t *testing.T) {
	yes, no := row.NewBoolean(true), row.NewBoolean(false)
	two, three := row.NewInt(2), row.NewInt(3)
	for _, c := range []struct {
		name                string
		consts              []row.Value
		values              []row.Value
		all, undone, merged string
	}{
		{"COUNT", nil, ints(1, nil, 3), "2", "1", "3"},
		{"SUM", nil, ints(1, nil, 3), "4", "1", "5"},
		{"AVG", nil, ints(1, nil, 2, 4), "2.3333333333333335", "1.5", "2.0"},
		{"MAX", nil, ints(nil, -3, 7, 5), "7", "", "7"},
		{"MIN", nil, ints(nil, -3, 7, 5), "-3", "", "-3"},
		{"STDDEV_SAMP", nil, ints(0, 10, 7, 6), "17.583333333333332", "26.333333333333332", "20.7"},
		{"COLLECT_LIST", nil, ints(1, nil, 1, 2), "[1, null, 1, 2]", "[1, null, 1]", "[1, null, 1, 2, 1, null]"},
		{"COLLECT_SET", nil, ints(1, nil, 1, 2), "[1, null, 2]", "", "[1, null, 2]"},
		{"COUNT_DISTINCT", nil, ints(1, nil, 1, 2), "2", "", "2"},
		{"ATTR", nil, ints(5, 5, 6), "null", "5", "null"},
		{"EARLIEST_BY_OFFSET", nil, ints(nil, 5, 6), "5", "", "5"},
		{"EARLIEST_BY_OFFSET", []row.Value{no}, ints(nil, 5), "null", "", "null"},
		{"EARLIEST_BY_OFFSET", []row.Value{two}, ints(nil, 5, 6, 7), "[5, 6]", "", "[5, 6]"},
		{"EARLIEST_BY_OFFSET", []row.Value{two, no}, ints(nil, 5, 6), "[null, 5]", "", "[null, 5]"},
		{"LATEST_BY_OFFSET", []row.Value{yes}, ints(5, 6, nil), "6", "", "6"},
		{"LATEST_BY_OFFSET", []row.Value{no}, ints(5, nil), "null", "", "null"},
		{"LATEST_BY_OFFSET", []row.Value{two}, ints(5, 6, 7), "[6, 7]", "", "[5, 6]"},
		{"TOPK", []row.Value{three}, ints(0, 100, nil, 7, 99, 100), "[100, 100, 99]", "", "[100, 100, 100]"},
		{"TOPKDISTINCT", []row.Value{three}, ints(0, 100, nil, 7, 99, 100), "[100, 99, 7]", "", "[100, 99, 7]"},
	} {
		a := bind(t, lib, c.name, []*row.Type{row.Int}, c.consts...)
		state := a.Initial
		var before, early row.Value
		for i, v := range c.values {
			before = state
			var err error
			if state, err = a.Add(state, []row.Value{v}); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				early = state
			}
		}
		if got := result(t, a, state); got != c.all {
			t.Errorf("%s of all is %s, want %s", c.name, got, c.all)
		}
		if (a.Undo != nil) != (c.undone != "") {
			t.Errorf("%s can be undone: %v", c.name, a.Undo != nil)
		}
		if a.Undo != nil {
			undone, err := a.Undo(state, []row.Value{c.values[len(c.values)-1]})
			if err != nil || result(t, a, undone) != c.undone || result(t, a, before) != c.undone {
				t.Errorf("%s undone is %s (before %s), want %s, %v", c.name, result(t, a, undone), result(t, a, before), c.undone, err)
			}
		}
		merged, err := a.Merge(state, early)
		if err != nil || result(t, a, merged) != c.merged {
			t.Errorf("%s merged is %s, want %s, %v", c.name, result(t, a, merged), c.merged, err)
		}
	}
}

func TestTopKWithFurtherColumns(t *testing.T) {
	a := bind(t, lib, "TOPK", []*row.Type{row.Int, row.StringType}, row.NewInt(2))
	if want := "ARRAY<STRUCT<`sort_col` INTEGER, `col0` STRING>>"; a.Returns.String() != want || len(a.Values) != 2 {
		t.Fatalf("%s of %v, want %s", a.Returns, a.Values, want)
	}
	state := a.Initial
	for _, v := range []struct {
		n    row.Value
		text row.Value
	}{
		{row.NewInt(1), row.NewString("a")},
		{row.NewInt(9), row.NewString("b")},
		{row.Null, row.NewString("c")},
		{row.NewInt(9), row.Null},
	} {
		state, _ = a.Add(state, []row.Value{v.n, v.text})
	}
	if got := result(t, a, state); got != "[Struct{sort_col=9,col0=b}, Struct{sort_col=9}]" {
		t.Error(got)
	}
}

// TestStatesAreAddedToRows: AddTo adds what Add gives, and nothing where the state stays.
func TestStatesAreAddedToRows(t *testing.T) {
	for _, c := range []struct {
		a    *function.BoundAggregate
		rows [][]row.Value
	}{
		{bind(t, lib, "TOPK", []*row.Type{row.Int}, row.NewInt(2)), [][]row.Value{ints(1), ints(nil), ints(3), ints(2), ints(1), ints(2), ints(5)}},
		{bind(t, lib, "TOPKDISTINCT", []*row.Type{row.Int}, row.NewInt(2)), [][]row.Value{ints(1), ints(1), ints(3), ints(2), ints(0)}},
		{bind(t, lib, "TOPK", []*row.Type{row.Int, row.Int}, row.NewInt(2)), [][]row.Value{ints(1, 2), ints(nil, 3), ints(1, nil), ints(4, 4), ints(1, 5)}},
		{
			bind(t, lib.With(map[string]string{"ksql.functions.collect_list.limit": "2"}), "COLLECT_LIST", []*row.Type{row.Int}),
			[][]row.Value{ints(1), ints(nil), ints(3)},
		},
	} {
		state := c.a.Initial
		for i, args := range c.rows {
			next, err := c.a.Add(state, args)
			if err != nil {
				t.Fatal(err)
			}
			changed := false
			got := row.Make(func(out *row.Builder) { changed = c.a.AddTo(out, state, args) })
			want := row.NewRow()
			if changed {
				want = row.NewRow(next)
			}
			if got != want || changed == (next == state) {
				t.Errorf("%s, row %d: AddTo adds %x, %v; Add gives %x", c.a.Name, i, got, changed, next.Row())
			}
			state = next
		}
	}
}

func TestSumOfDecimalsOverflows(t *testing.T) {
	a := bind(t, lib, "SUM", []*row.Type{row.DecimalType(4, 1)})
	big := row.FromDecimal(row.NewDecimal(9999, 1))
	state, err := a.Add(a.Initial, []row.Value{big})
	if err != nil || result(t, a, state) != "999.9" {
		t.Fatal(state, err)
	}
	if _, err := a.Add(state, []row.Value{big}); err == nil {
		t.Error("a sum beyond its type is no error")
	}
}

func TestSettingsLimitLists(t *testing.T) {
	a := bind(t, lib.With(map[string]string{"ksql.functions.collect_list.limit": "1"}), "COLLECT_LIST", []*row.Type{row.Int})
	state, _ := a.Add(a.Initial, ints(1))
	state, _ = a.Add(state, ints(2))
	if result(t, a, state) != "[1]" {
		t.Error(result(t, a, state))
	}
}

func TestHistogramForgetsWhatIsGone(t *testing.T) {
	a := bind(t, lib, "HISTOGRAM", []*row.Type{row.StringType})
	state := a.Initial
	for _, s := range []string{"b", "a", "b"} {
		state, _ = a.Add(state, []row.Value{row.NewString(s)})
	}
	if got := result(t, a, state); got != "{a=1, b=2}" {
		t.Error(got)
	}
	state, _ = a.Undo(state, []row.Value{row.NewString("a")})
	if got := result(t, a, state); got != "{b=2}" {
		t.Error(got)
	}
}

func TestCorrelation(t *testing.T) {
	a := bind(t, lib, "CORRELATION", []*row.Type{row.Double, row.Double})
	state := a.Initial
	want := []string{"NaN", "1.0", "0.7580764521133173", "0.7580764521133173"}
	for i, p := range [][2]row.Value{
		{row.NewDouble(1.5), row.NewDouble(8)},
		{row.NewDouble(-1), row.NewDouble(-2)},
		{row.NewDouble(-4.5), row.NewDouble(-1)},
		{row.Null, row.NewDouble(-6)},
	} {
		state, _ = a.Add(state, p[:])
		if got := result(t, a, state); got != want[i] {
			t.Errorf("after %d rows %s, want %s", i+1, got, want[i])
		}
	}
}

func TestCountDistinctOfMany(t *testing.T) {
	a := bind(t, lib, "COUNT_DISTINCT", []*row.Type{row.StringType})
	halves := [2]row.Value{a.Initial, a.Initial}
	const n = 20_000
	for i := range n {
		halves[i%2], _ = a.Add(halves[i%2], []row.Value{row.NewString("user " + strconv.Itoa(i))})
	}
	state, err := a.Merge(halves[0], halves[1])
	if err != nil {
		t.Fatal(err)
	}
	got, _ := strconv.Atoi(result(t, a, state))
	if got < n*95/100 || got > n*105/100 {
		t.Errorf("%d different values, there are %d", got, n)
	}
}

func TestLiteralsAreChecked(t *testing.T) {
	zero := row.NewInt(0)
	for _, args := range [][]function.Arg{
		{{Type: row.Int}, {Type: row.Int, Const: &zero}},
		{{Type: row.Int}, {Type: row.Int, Text: "F0"}},
	} {
		if _, err := lib.Aggregate("EARLIEST_BY_OFFSET", args); err == nil {
			t.Errorf("%+v was taken", args)
		}
	}
}
