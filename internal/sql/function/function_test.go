package function

import (
	"errors"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/row"
)

// library has a function for each signature; all overloads of F tell by their result which one was chosen.
func library(t *testing.T, signatures ...string) *Library {
	t.Helper()
	l := New()
	for _, s := range signatures {
		err := l.Add(Scalar{Doc: Doc{Name: "f"}, Overloads: []Overload{{
			Signature: s, Eval: func([]row.Value) (row.Value, error) { return row.NewString(s), nil },
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func TestOverloads(t *testing.T) {
	all := []string{
		"(INT, STRING) INT", "(BIGINT, STRING) BIGINT", "(BIGINT, BIGINT, STRING) INT", "(BIGINT...) BIGINT", "(ARRAY<T>, T) T", "(DOUBLE) DOUBLE",
		"(MAP<K, V>) ARRAY<V>", "(T, STRING..., BOOLEAN, BOOLEAN) T",
	}
	l := library(t, all...)
	for _, c := range []struct {
		args []*row.Type
		want string // the signature and the result's type
	}{
		{[]*row.Type{row.Int, row.StringType}, all[0] + " INTEGER"},
		{[]*row.Type{row.Bigint, nil}, all[1] + " BIGINT"},
		{[]*row.Type{row.Bigint, row.Bigint, nil}, all[2] + " INTEGER"},
		{[]*row.Type{row.Bigint, row.Bigint, row.Bigint, row.Bigint}, all[3] + " BIGINT"},
		{nil, all[3] + " BIGINT"},
		{[]*row.Type{row.Int}, all[5] + " DOUBLE"},
		{[]*row.Type{row.DecimalType(4, 1)}, all[5] + " DOUBLE"},
		{[]*row.Type{row.ArrayType(row.DateType), nil}, all[4] + " DATE"},
		{[]*row.Type{row.MapType(row.StringType, row.Int)}, all[6] + " ARRAY<INTEGER>"},
		{[]*row.Type{row.DateType, row.Boolean, row.Boolean}, all[7] + " DATE"},
		{[]*row.Type{row.DateType, row.StringType, row.StringType, row.Boolean, row.Boolean}, all[7] + " DATE"},
		{[]*row.Type{row.StringType}, "Function 'f' does not accept parameters (STRING).\nValid alternatives are:\nf(INT, STRING) INT"},
		{[]*row.Type{row.ArrayType(row.Int), row.StringType}, "does not accept parameters (ARRAY<INTEGER>, STRING)."},
	} {
		got := ""
		b, err := l.Lookup("F", c.args...)
		if err == nil {
			v, _ := b.Eval(nil)
			got = v.Text() + " " + b.Returns.String()
		} else {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%v: %s, want %s", c.args, got, c.want)
		}
	}
}

func TestUnknownNamesHaveAHint(t *testing.T) {
	l := library(t, "() INT")
	if err := l.Add(Scalar{Doc: Doc{Name: "UCASE"}}); err != nil {
		t.Fatal(err)
	}
	_, err := l.Lookup("UCASES")
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeUnknown || e.Message != "Can't find any functions with the name 'UCASES'" || e.Hint != "did you mean UCASE?" {
		t.Errorf("%+v", err)
	}
}

func TestSignaturesThatCannotBeRead(t *testing.T) {
	for _, s := range []string{"", "INT", "(INT", "(INT) ", "(NOTHING) INT", "(ARRAY) INT", "(MAP<INT>) INT", "(INT) INT INT", "(INT INT) INT"} {
		if err := New().Add(Scalar{Doc: Doc{Name: "x"}, Overloads: []Overload{{Signature: s}}}); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestLambdaTypesFollowTheArguments(t *testing.T) {
	l := library(t, "(MAP<K, V>, S, FUNCTION(S, K, V) S) ARRAY<S>")
	m, err := l.Scalar("f", []Arg{{Type: row.MapType(row.StringType, row.Double)}, {Type: row.Bigint}, {Lambda: 3}})
	if err != nil {
		t.Fatal(err)
	}
	types := m.LambdaTypes(2)
	if len(types) != 3 || types[0] != row.Bigint || types[1] != row.StringType || types[2] != row.Double {
		t.Fatal(types)
	}
	if want, err := m.LambdaReturns(2, row.Int); err != nil || want != row.Bigint {
		t.Error(want, err)
	}
	if _, err := m.LambdaReturns(2, row.StringType); err == nil {
		t.Error("text was taken for a number")
	}
	if b, err := m.Bind(); err != nil || b.Returns.String() != "ARRAY<BIGINT>" {
		t.Error(b, err)
	}
}

func TestCloneKeepsTheOriginal(t *testing.T) {
	l := library(t, "() INT")
	c := l.Clone()
	if err := c.Add(Scalar{Doc: Doc{Name: "mine"}, Overloads: []Overload{{Signature: "() INT"}}}); err != nil {
		t.Fatal(err)
	}
	if l.Kind("MINE") != None || c.Kind("MINE") != ScalarFunction {
		t.Error("a function of a copy is in the original")
	}
}
