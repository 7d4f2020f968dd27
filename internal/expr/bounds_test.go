package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/java/regex"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// TestWhatGrowsIsBounded computes what would take gigabytes or hours: an error of the row, and nothing of the kind is allocated.
func TestWhatGrowsIsBounded(t *testing.T) {
	s := columns(t, "s STRING, t STRING, n ARRAY<INT>, i INT, b BIGINT, l ARRAY<STRING>")
	numbers := make([]row.Value, 10_000)
	for i := range numbers {
		numbers[i] = row.NewInt(int32(i))
	}
	text := strings.Repeat("a", 1<<16)
	texts := make([]row.Value, 20)
	for i := range texts {
		texts[i] = row.NewString(strings.Repeat("x", 1000))
	}
	r := row.NewRow(row.NewString(text), row.NewString("(a|b)"), row.NewArray(numbers...), row.NewInt(1000), row.NewBigint(9223372036854775806), row.NewArray(texts...))
	for _, text := range []string{
		"REPLACE(s, 'a', s)",
		"REPLACE(s, '', s)",
		"REGEXP_REPLACE(s, 'a', s)",
		"REGEXP_REPLACE(s, '(a+)', REPLACE(SUBSTRING(s, 1, 2000), 'a', '$1'))",
		"REGEXP_EXTRACT_ALL('" + strings.Repeat("()", 2000) + "', s)",
		"REGEXP_EXTRACT(s, s)",
		"REDUCE(n, 'ab', (x, y) => x + x)",
		"REDUCE(n, 'ab', (x, y) => CONCAT(x, x))",
		"REDUCE(n, l, (x, y) => ARRAY_CONCAT(x, x))",
		"TRANSFORM(n, x => s)",
		"TRANSFORM(n, x => ARRAY_LENGTH(TRANSFORM(n, y => y + x)))",
		"ARRAY_JOIN(n, s)",
		"LPAD(s, 2147483647, 'x')",
		"CONCAT(" + strings.Repeat("s, ", 1100) + "s)",
		"ARRAY[" + strings.Repeat("s, ", 1100) + "s]",
		"s" + strings.Repeat(" + s", 1100),
	} {
		before := allocated()
		if _, err := evalText(t, s, text, r); !errors.Is(err, function.ErrTooLarge) && !errors.Is(err, function.ErrWork) && !errors.Is(err, regex.ErrTooMuch) {
			t.Errorf("%.60s: %v, which is not of a bound", text, err)
		}
		if took := allocated() - before; took > 3<<30 {
			t.Errorf("%.60s took %d MB", text, took>>20)
		}
	}
	for _, text := range []string{"GENERATE_SERIES(b, b + 1, 1)", "GENERATE_SERIES(b, b + 1, 2)"} { // up to the last BIGINT there is
		if v, err := evalText(t, s, text, r); err != nil || v.Len() > 2 {
			t.Errorf("%s: %d elements, %v", text, v.Len(), err)
		}
	}
}

func evalText(t *testing.T, s schema, text string, r row.Row) (row.Value, error) {
	t.Helper()
	x, err := compileText(t, s, text)
	if err != nil {
		t.Fatalf("%.60s: %v", text, err)
	}
	return x.Eval(r)
}
