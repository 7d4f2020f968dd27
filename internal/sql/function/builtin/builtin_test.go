package builtin

import (
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

func TestAllFunctionsAreThereAndDescribed(t *testing.T) {
	count := map[function.Kind]int{}
	lib := New(Options{})
	for _, d := range lib.Descriptions() {
		count[d.Kind]++
		if d.Text == "" || d.Category == "" || len(d.Signatures) == 0 {
			t.Errorf("%s lacks a description: %+v", d.Name, d)
		}
		if lib.Kind(strings.ToLower(d.Name)) != d.Kind {
			t.Errorf("%s is not found by its name", d.Name)
		}
	}
	if count[function.ScalarFunction] != 129 || count[function.AggregateFunction] != 18 || count[function.TableFunction] != 2 {
		t.Errorf("%v functions, want 129 scalar, 18 aggregate, 2 table", count)
	}
}

func TestTableFunctions(t *testing.T) {
	lib := New(Options{})
	array := row.NewArray(row.NewInt(1), row.Null, row.NewInt(2))
	for name, want := range map[string][]row.Value{
		"EXPLODE": {row.NewInt(1), row.Null, row.NewInt(2)},
		"CUBE_EXPLODE": {
			row.NewArray(row.Null, row.Null, row.Null), row.NewArray(row.Null, row.Null, row.NewInt(2)),
			row.NewArray(row.NewInt(1), row.Null, row.Null), array,
		},
	} {
		f, err := lib.Table(name, function.Types(row.ArrayType(row.Int)))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := f.Rows([]row.Value{array})
		if err != nil || row.NewRow(rows...) != row.NewRow(want...) {
			t.Errorf("%s gives %v, %v", name, rows, err)
		}
		if rows, err := f.Rows([]row.Value{row.Null}); len(rows) != 0 || err != nil {
			t.Errorf("%s of null gives %v, %v", name, rows, err)
		}
	}
}
