package qtt

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

func TestTestFunctionsFitTheLibrary(t *testing.T) {
	l := function.New()
	if err := addTestFunctions(l); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]function.Kind{
		"test_udf": function.ScalarFunction, "THROWING_UDTF": function.TableFunction, "MID_VAR_ARG": function.AggregateFunction,
	} {
		if got := l.Kind(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestWeighingAndCollectingAggregates(t *testing.T) {
	text, number := row.NewString, row.NewBigint
	weigh, err := weighing("W", "(BIGINT, STRING...) BIGINT").Overloads[0].New(function.Binding{Consts: []row.Value{number(7), text("abc")}})
	if err != nil {
		t.Fatal(err)
	}
	state, err := weigh.Add(weigh.Initial, []row.Value{number(5), text("hé"), row.Null})
	if err != nil || state.Int64() != 17 {
		t.Errorf("7 and 3, then 5 and 2: %d, %v", state.Int64(), err)
	}
	if merged, err := weigh.Merge(state, weigh.Initial); err != nil || merged != state {
		t.Errorf("merged with nothing: %d, %v", merged.Int64(), err)
	}
	collect, err := collecting("C", "(A, B...) ARRAY<A>").Overloads[0].New(function.Binding{Args: []*row.Type{row.Bigint}})
	if err != nil {
		t.Fatal(err)
	}
	state = collect.Initial
	for _, args := range [][]row.Value{{number(1), text("x")}, {number(2), row.Null}, {number(3)}} {
		if state, err = collect.Add(state, args); err != nil {
			t.Fatal(err)
		}
	}
	if state != row.NewArray(number(1), number(3)) {
		t.Errorf("%d elements, first %d", state.Len(), state.Row().At(0).Int64())
	}
}
