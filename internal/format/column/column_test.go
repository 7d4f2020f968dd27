package column_test

import (
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

func TestFieldsAreFoundInAnyCaseByColumnsInUpperCase(t *testing.T) {
	fields := []string{"ab", "AB", "c", "C2", "ä"}
	looked := 0
	index := column.NewIndex(len(fields), func(i int) string { looked++; return fields[i] })
	for name, want := range map[string]int{"AB": 1, "ab": 0, "C": 2, "c": 2, "C2": 3, "c2": -1, "Ä": 4, "D": -1} {
		if got := index.Find(name); got != want {
			t.Errorf("%s is field %d, want %d", name, got, want)
		}
		if is := want >= 0; is != slices.ContainsFunc(fields, func(f string) bool { return column.Is(name, f) }) {
			t.Errorf("%s may be read from one of the fields: %t", name, !is)
		}
	}
	if looked != len(fields) {
		t.Errorf("%d looks at %d fields", looked, len(fields))
	}
}

func TestErrorsHaveThePathToTheColumn(t *testing.T) {
	err := column.At("A", column.At("B", column.Errorf("too %s", "long")))
	var e *column.Error
	if !errors.As(err, &e) || e.Column != "A->B" || err.Error() != "column A->B: too long" {
		t.Error(err)
	}
	if err := column.At("A", errors.New("other")); err.Error() != "column A: other" {
		t.Error(err)
	}
}

func TestDecimalsComeBackFromTheirBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`-?[1-9][0-9]{0,60}`).Draw(t, "digits")
		scale := rapid.IntRange(0, 20).Draw(t, "scale")
		n, _ := new(big.Int).SetString(digits, 10)
		want, err := row.DecimalFromBig(n, scale)
		if err != nil {
			t.Fatal(err)
		}
		b := column.AppendUnscaled(nil, want)
		got, err := column.Unscaled(string(b), scale)
		if err != nil || got != want {
			t.Fatalf("%s comes back as %s from %x, %v", want, got, b, err)
		}
		if len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
			t.Fatalf("%s has a byte too many: %x", want, b)
		}
	})
	if d, err := column.Unscaled("", 2); err != nil || !d.IsZero() {
		t.Errorf("no bytes: %s, %v", d, err)
	}
	for b, scale := range map[string]int{"\x01": -1, "\x02": 1 << 20, strings.Repeat("\x7f", 5000): 0, strings.Repeat("\x7f", 450): 2} {
		if d, err := column.Unscaled(b, scale); err == nil {
			t.Errorf("%d bytes with scale %d are %.20s", len(b), scale, d)
		}
	}
}

func TestConversionsWidenOnly(t *testing.T) {
	for _, tt := range []struct {
		from, to *row.Type
		v, want  row.Value
	}{
		{row.Int, row.Bigint, row.NewInt(-3), row.NewBigint(-3)},
		{row.Int, row.Double, row.NewInt(-3), row.NewDouble(-3)},
		{row.Bigint, row.DecimalType(5, 2), row.NewBigint(7), row.FromDecimal(row.NewDecimal(700, 2))},
		{row.Bigint, row.TimestampType, row.NewBigint(7), row.NewTimestamp(7)},
		{row.DateType, row.Bigint, row.NewDate(7), row.NewBigint(7)},
		{row.Boolean, row.StringType, row.NewBoolean(true), row.NewString("true")},
		{row.Double, row.StringType, row.NewDouble(1e7), row.NewString("1.0E7")},
		{row.DecimalType(3, 1), row.StringType, row.FromDecimal(row.NewDecimal(10, 1)), row.NewString("1.0")},
	} {
		convert, err := column.Converter(tt.from, tt.to)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := convert(tt.v); err != nil || got != tt.want {
			t.Errorf("%s as %s: %v, %v", tt.from, tt.to, got, err)
		}
	}
	for _, tt := range [][2]*row.Type{{row.Bigint, row.Int}, {row.Double, row.Bigint}, {row.StringType, row.Int}, {row.BytesType, row.StringType}, {nil, row.Int}} {
		if _, err := column.Converter(tt[0], tt[1]); err == nil {
			t.Errorf("%s is read as %s", tt[0], tt[1])
		}
	}
}
