package expr

import (
	"testing"

	"github.com/mainstemio/mainstem/row"
)

// perRow are expressions that must not allocate.
var perRow = []string{
	"b > 100",
	"b + 1",
	"b * i - 3",
	"d * 1.5E0 + b",
	"m + m",
	"m > 10",
	"t = 'open'",
	"b > 100 AND t <> 'open' OR d < 0.5",
	"CASE WHEN b > 100 THEN i WHEN d > 1 THEN 2 ELSE 3 END",
	"CAST(d AS BIGINT)",
	"CAST(i AS DOUBLE)",
	"b BETWEEN 1 AND 1000",
	"t IN ('open', 'closed')",
	"t LIKE 'op%n'",
	"IFNULL(b, 0)",
	"ABS(i)",
	"st->A + 1",
	"a[2]",
}

func benchmarkRow(t testing.TB) (schema, row.Row) {
	s := columns(t, "i INT, b BIGINT, d DOUBLE, m DECIMAL(9, 2), t STRING, st STRUCT<A INT>, a ARRAY<BIGINT>")
	return s, values(t, s, "-7", "12345678901", "2.5", "1234.50", "'open'", "STRUCT(A := 1)", "ARRAY[1, 2, 3]")
}

func TestNothingIsAllocatedForARow(t *testing.T) {
	s, r := benchmarkRow(t)
	for _, text := range perRow {
		x, err := compileText(t, s, text)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := x.Eval(r); err != nil {
				t.Fatal(err)
			}
		}); n > 0 && !raceEnabled {
			t.Errorf("%s allocates %v times", text, n)
		}
	}
}

// TestFailuresOfPartsAreReported: what reports failures takes the same way as what does not, unless parts may fail by themselves.
func TestFailuresOfPartsAreReported(t *testing.T) {
	s, r := benchmarkRow(t)
	told := 0
	report := func(error) { told++ }
	for text, want := range map[string]int{"b > 100": 0, "ARRAY[b, b / 0]": 1, "CASE WHEN b > 0 THEN MAP('k' := b / 0) END": 1, "STRUCT(x := b / 0, y := 1)->x": 1} {
		x, err := compileText(t, s, text)
		if err != nil {
			t.Fatal(err)
		}
		told = 0
		if _, err := x.EvalReport(r, report); err != nil || told != want {
			t.Errorf("%s: told %d times, want %d, %v", text, told, want, err)
		}
	}
	x, err := compileText(t, s, "b > 100")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = x.EvalReport(r, report) }); n > 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
	if place, plain := x.Column(); plain {
		t.Errorf("a condition is column %d", place)
	}
	if x, err = compileText(t, s, "b"); err != nil {
		t.Fatal(err)
	}
	if place, plain := x.Column(); !plain || place != 1 {
		t.Errorf("column b: %d %v", place, plain)
	}
}

func BenchmarkEval(b *testing.B) {
	s, r := benchmarkRow(b)
	for _, text := range perRow {
		x, err := compileText(b, s, text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Eval(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
