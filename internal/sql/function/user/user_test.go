package user_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/function/user"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/sqlfunc"
)

// call calls a function made of overloads with arguments of these types.
func call(t *testing.T, args []row.Value, types []*row.Type, overloads ...sqlfunc.Overload) (row.Value, error) {
	t.Helper()
	lib := builtin.New(builtin.Options{})
	if err := user.Add(lib, sqlfunc.New("mine", "", overloads...)); err != nil {
		t.Fatal(err)
	}
	f, err := lib.Lookup("Mine", types...)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range args {
		if v.IsNull() && !f.Nulls {
			return row.Null, nil // as expressions do
		}
	}
	return f.Eval(args)
}

// echo gives a value to a function of Go that returns it.
func echo[T any](t *testing.T, v row.Value, typ *row.Type, signature string) (got T) {
	t.Helper()
	s := sqlfunc.Scalar1(func(x T) (T, error) { got = x; return x, nil })
	if signature != "" {
		s = s.As(signature)
	}
	back, err := call(t, []row.Value{v}, []*row.Type{typ}, s)
	if err != nil || back != v {
		t.Errorf("%T: %v came back as %v: %v", got, v, back, err)
	}
	return got
}

type inner struct {
	Name *string
	Sums []int32 `sql:"totals"`
}

type outer struct {
	ID     string
	Price  row.Decimal `decimal:"6,2"`
	Parts  map[string]inner
	hidden int
	Left   int `sql:"-"`
}

func TestValuesOfEachTypeComeThereAndBack(t *testing.T) {
	echo[bool](t, row.NewBoolean(true), row.Boolean, "")
	echo[int32](t, row.NewInt(-7), row.Int, "")
	echo[int64](t, row.NewBigint(1<<40), row.Bigint, "")
	echo[int](t, row.NewBigint(-1<<40), row.Bigint, "")
	echo[float64](t, row.NewDouble(0.1), row.Double, "")
	echo[string](t, row.NewString("ä"), row.StringType, "")
	echo[[]byte](t, row.NewBytes("\x00\xff"), row.BytesType, "")
	echo[sqlfunc.Date](t, row.NewDate(-1), row.DateType, "")
	if d := echo[time.Duration](t, row.NewTime(1500), row.TimeType, ""); d != 1500*time.Millisecond {
		t.Error(d)
	}
	if at := echo[time.Time](t, row.NewTimestamp(-1), row.TimestampType, ""); !at.Equal(time.UnixMilli(-1)) || at.Location() != time.UTC {
		t.Error(at)
	}
	echo[row.Decimal](t, row.FromDecimal(row.NewDecimal(125, 2)), row.DecimalType(4, 2), "(DECIMAL) DECIMAL(4, 2)")
	echo[*string](t, row.NewString("x"), row.StringType, "")
	echo[[]string](t, row.NewArray(row.NewString("a"), row.NewString("")), row.ArrayType(row.StringType), "")
	echo[map[string][]float64](t, row.NewMap(row.Entry{Key: row.NewString("k"), Value: row.NewArray(row.NewDouble(1))}),
		row.MapType(row.StringType, row.ArrayType(row.Double)), "")
	part := row.StructType(row.Field{Name: "NAME", Type: row.StringType}, row.Field{Name: "totals", Type: row.ArrayType(row.Int)})
	all := row.StructType(row.Field{Name: "ID", Type: row.StringType}, row.Field{Name: "PRICE", Type: row.DecimalType(6, 2)},
		row.Field{Name: "PARTS", Type: row.MapType(row.StringType, part)})
	v := row.NewStruct(row.NewString("i"), row.FromDecimal(row.NewDecimal(100, 2)),
		row.NewMap(row.Entry{Key: row.NewString("p"), Value: row.NewStruct(row.Null, row.NewArray(row.NewInt(3)))}))
	if o := echo[outer](t, v, all, ""); o.ID != "i" || o.Price.String() != "1.00" || o.Parts["p"].Name != nil || o.Parts["p"].Sums[0] != 3 || o.hidden != 0 {
		t.Errorf("%+v", o)
	}
}

func TestNulls(t *testing.T) {
	called := 0
	plain := sqlfunc.Scalar2(func(a string, b *string) (string, error) { called++; return a, nil })
	text := []*row.Type{row.StringType, row.StringType}
	if v, err := call(t, []row.Value{row.Null, row.NewString("b")}, text, plain); !v.IsNull() || err != nil || called != 0 {
		t.Error(v, err, called)
	}
	if v, err := call(t, []row.Value{row.NewString("a"), row.Null}, text, plain); v.Text() != "a" || err != nil || called != 1 {
		t.Error(v, err, called)
	}
	nothing := sqlfunc.Scalar1(func(string) ([]string, error) { return nil, nil })
	if v, err := call(t, []row.Value{row.NewString("a")}, text[:1], nothing); !v.IsNull() || err != nil {
		t.Error(v, err)
	}
	sum := sqlfunc.Scalar1(func(list []int32) (int64, error) { return int64(len(list)), nil })
	_, err := call(t, []row.Value{row.NewArray(row.NewInt(1), row.Null)}, []*row.Type{row.ArrayType(row.Int)}, sum)
	if err == nil || !strings.Contains(err.Error(), "element 2") {
		t.Error(err)
	}
}

func TestTheSignatureThatFitsIsCalled(t *testing.T) {
	overloads := []sqlfunc.Overload{
		sqlfunc.Scalar1(func(int32) (string, error) { return "int", nil }),
		sqlfunc.Scalar1(func(string) (string, error) { return "text", nil }),
		sqlfunc.ScalarN(func(list ...float64) (string, error) { return strings.Repeat("x", len(list)), nil }),
		sqlfunc.Scalar{Signature: "(ARRAY<T>) T", Eval: func(args []row.Value) (row.Value, error) { return args[0].Row().At(0), nil }},
	}
	for _, c := range []struct {
		want  string
		args  []row.Value
		types []*row.Type
	}{
		{"int", []row.Value{row.NewInt(1)}, []*row.Type{row.Int}},
		{"text", []row.Value{row.NewString("")}, []*row.Type{row.StringType}},
		{"xxx", []row.Value{row.NewDouble(1), row.NewDouble(2), row.NewDouble(3)}, []*row.Type{row.Double, row.Double, row.Double}},
		{"first", []row.Value{row.NewArray(row.NewString("first"))}, []*row.Type{row.ArrayType(row.StringType)}},
	} {
		if v, err := call(t, c.args, c.types, overloads...); v.Text() != c.want || err != nil {
			t.Errorf("%v, %v, want %s", v, err, c.want)
		}
	}
}

func TestAnErrorAPanicAndAWrongValueAreErrorsOfTheRow(t *testing.T) {
	said := errors.New("said so")
	for name, f := range map[string]sqlfunc.Scalar{
		"said so":           sqlfunc.Scalar0(func() (string, error) { return "", said }),
		"index out of":      sqlfunc.Scalar0(func() (string, error) { var none []string; return none[len(none)], nil }),
		"it gave a BIGINT":  {Signature: "() STRING", Eval: func([]row.Value) (row.Value, error) { return row.NewBigint(1), nil }},
		"does not fit into": sqlfunc.Scalar0(func() (row.Decimal, error) { return row.NewDecimal(12345, 1), nil }).As("() DECIMAL(4, 1)"),
		"it gave 1 fields":  {Signature: "() STRUCT<A INT, B INT>", Eval: func([]row.Value) (row.Value, error) { return row.NewStruct(row.NewInt(1)), nil }},
	} {
		v, err := call(t, nil, nil, f)
		if own := (function.RowError{}); !errors.As(err, &own) || !v.IsNull() || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

func TestWhatCannotBeAFunctionIsRefused(t *testing.T) {
	good := sqlfunc.Scalar0(func() (string, error) { return "", nil })
	for want, f := range map[string]sqlfunc.Function{
		"there is no type of SQL for the type uint8":  sqlfunc.New("mine", "", sqlfunc.Scalar1(func(uint8) (string, error) { return "", nil })),
		"there is no type of SQL for the type func()": sqlfunc.New("mine", "", sqlfunc.Scalar1(func([]func()) (string, error) { return "", nil })),
		"SQL has a function of that name":             sqlfunc.New("Ucase", "", good),
		"a name is letters":                           sqlfunc.New("my-own", "", good),
		"no reserved word":                            sqlfunc.New("select", "", good),
		"it has no signature":                         sqlfunc.New("mine", ""),
		"of different kinds":                          sqlfunc.New("mine", "", good, sqlfunc.Table1(func(string) ([]string, error) { return nil, nil })),
		"a DECIMAL without digits":                    sqlfunc.New("mine", "", sqlfunc.Scalar0(func() (row.Decimal, error) { return row.Decimal{}, nil })),
		"invalid signature":                           sqlfunc.New("mine", "", good.As("(NUMBER) STRING")),
		"nothing computes it":                         sqlfunc.New("mine", "", sqlfunc.Scalar{Signature: "() STRING"}),
		"no Add":                                      sqlfunc.New("mine", "", sqlfunc.Aggregate1(sqlfunc.Fold1[string, string, string]{})),
		"nests more than":                             sqlfunc.New("mine", "", sqlfunc.Scalar1(func(*endless) (string, error) { return "", nil })),
	} {
		if err := user.Add(builtin.New(builtin.Options{}), f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

type endless struct{ More []endless }

func TestAnAggregateWithALiteral(t *testing.T) {
	top := sqlfunc.Aggregate1With(func(n int32) (sqlfunc.Fold1[string, []string, []string], error) {
		if n < 1 {
			return sqlfunc.Fold1[string, []string, []string]{}, errors.New("at least one")
		}
		return sqlfunc.Fold1[string, []string, []string]{Add: func(list []string, x string) ([]string, error) {
			if len(list) < int(n) {
				list = append(list, x)
			}
			return list, nil
		}}, nil
	})
	lib := builtin.New(builtin.Options{})
	if err := user.Add(lib, sqlfunc.New("heads", "", top)); err != nil {
		t.Fatal(err)
	}
	bind := func(n int32) (*function.BoundAggregate, error) {
		v := row.NewInt(n)
		return lib.Aggregate("heads", []function.Arg{{Type: row.StringType}, {Type: row.Int, Const: &v}})
	}
	if _, err := bind(0); err == nil || !strings.Contains(err.Error(), "at least one") {
		t.Error(err)
	}
	a, err := bind(2)
	if err != nil {
		t.Fatal(err)
	}
	state := a.Initial
	for _, x := range []string{"a", "b", "c"} {
		if state, err = a.Add(state, []row.Value{row.NewString(x)}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := a.Result(state); err != nil || got != row.NewArray(row.NewString("a"), row.NewString("b")) || a.Undo != nil || a.Merge != nil {
		t.Error(got, err)
	}
}

func TestDatesAreDaysOfUTC(t *testing.T) {
	for text, want := range map[string]sqlfunc.Date{"1970-01-01T23:59:59Z": 0, "1969-12-31T23:59:59Z": -1, "1970-01-02T00:30:00+01:00": 0} {
		at, err := time.Parse(time.RFC3339, text)
		if got := sqlfunc.DateOf(at); err != nil || got != want || got.Time() != at.UTC().Truncate(24*time.Hour) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
