package row

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestRowGoldenBytes(t *testing.T) {
	for _, c := range []struct {
		name, want string
		row        Row
	}{
		{"no values", "0100", NewRow()},
		{"nulls", "01020000", NewRow(Null, Null)},
		{
			"numbers", "01050204060f14" + "0101" + "0201" + "0358" + "04000000000000f03f" + "0502000196",
			NewRow(NewBoolean(true), NewInt(-1), NewBigint(44), NewDouble(1), FromDecimal(NewDecimal(-150, 2))),
		},
		{"text", "01020305" + "066162" + "07ff", NewRow(NewString("ab"), NewBytes("\xff"))},
		{"array", "010107" + "0b" + "010202020202", NewRow(NewArray(NewInt(1), Null))},
		{
			"map", "01010f" + "0c" + "010402040608" + "0661" + "0202" + "0662" + "0204",
			NewRow(NewMap(Entry{NewString("b"), NewInt(2)}, Entry{NewString("a"), NewInt(1)})),
		},
	} {
		if got := hex.EncodeToString([]byte(c.row)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

var values = rapid.Custom(func(t *rapid.T) Value { return drawValue(t, 2) })

func drawValue(t *rapid.T, depth int) Value {
	top := KindStruct
	if depth == 0 {
		top = KindTimestamp
	}
	switch k := Kind(rapid.IntRange(0, int(top)).Draw(t, "kind")); k {
	case KindNull:
		return Null
	case KindBoolean:
		return NewBoolean(rapid.Bool().Draw(t, "b"))
	case KindInt:
		return NewInt(rapid.Int32().Draw(t, "i"))
	case KindBigint:
		return NewBigint(rapid.Int64().Draw(t, "l"))
	case KindDouble:
		return NewDouble(rapid.Float64().Draw(t, "d"))
	case KindDecimal:
		d, err := ParseDecimal(rapid.StringMatching(`-?[0-9]{1,30}(\.[0-9]{1,8})?`).Draw(t, "dec"))
		if err != nil {
			t.Fatal(err)
		}
		return FromDecimal(d)
	case KindString:
		return NewString(rapid.String().Draw(t, "s"))
	case KindBytes:
		return NewBytes(string(rapid.SliceOf(rapid.Byte()).Draw(t, "y")))
	case KindDate, KindTime, KindTimestamp:
		return Value{kind: k, n: uint64(rapid.Int64().Draw(t, "t"))}
	default:
		parts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Value { return drawValue(t, depth-1) }), 0, 4).Draw(t, "parts")
		if k == KindMap {
			var entries []Entry
			for _, p := range parts {
				entries = append(entries, Entry{NewString(rapid.String().Draw(t, "k")), p})
			}
			return NewMap(entries...)
		}
		return nested(k, parts)
	}
}

func TestRowKeepsItsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(values, 0, 20).Draw(t, "values")
		r := NewRow(want...)
		if err := Check([]byte(r)); err != nil {
			t.Fatalf("%v: %x", err, r)
		}
		if r.Len() != len(want) {
			t.Fatalf("%d values, want %d", r.Len(), len(want))
		}
		for i, v := range want {
			if r.At(i) != v || r.IsNullAt(i) != v.IsNull() {
				t.Fatalf("value %d is %v (null: %v), want %v", i, r.At(i), r.IsNullAt(i), v)
			}
		}
		if again := NewRow(r.Values()...); again != r {
			t.Fatal("the same values gave other bytes")
		}
	})
}

func TestRowsOfAllWidths(t *testing.T) {
	for _, n := range []int{1, 200, 300, 70_000} {
		r := NewRow(NewString(strings.Repeat("x", n)), NewInt(7))
		if r.At(0).Text() != strings.Repeat("x", n) || r.At(1) != NewInt(7) || Check([]byte(r)) != nil {
			t.Errorf("row with %d bytes of text is broken", n)
		}
	}
	many := make([]Value, 1000)
	for i := range many {
		many[i] = NewInt(int32(i))
	}
	if diff := cmp.Diff(many, NewRow(many...).Values(), cmp.Comparer(func(a, b Value) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestCompareOrdersAsSQLDoes(t *testing.T) {
	dec := func(s string) Value {
		d, err := ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return FromDecimal(d)
	}
	for _, c := range []struct {
		a, b Value
		want int
		ok   bool
	}{
		{NewInt(1), NewBigint(2), -1, true},
		{NewBigint(3), NewDouble(2.5), 1, true},
		{dec("1.50"), dec("1.5"), 0, true},
		{dec("2"), NewInt(3), -1, true},
		{dec("1e25"), NewDouble(1), 1, true},
		{NewDouble(math.NaN()), NewDouble(math.Inf(1)), 1, true},
		{NewString("a"), NewString("b"), -1, true},
		{NewString("1"), NewInt(1), 0, false},
		{Null, Null, 0, false},
		{NewDate(1), NewTimestamp(1), 0, false},
	} {
		if got, ok := Compare(c.a, c.b); got != c.want || ok != c.ok {
			t.Errorf("Compare(%v, %v) = %d, %v; want %d, %v", c.a, c.b, got, ok, c.want, c.ok)
		}
	}
}

func TestTypesAreWrittenAsInSQL(t *testing.T) {
	typ := StructType(Field{"A", ArrayType(DecimalType(4, 2))}, Field{"m`x", MapType(StringType, Bigint)})
	const want = "STRUCT<`A` ARRAY<DECIMAL(4, 2)>, `m``x` MAP<STRING, BIGINT>>"
	if got := typ.String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if typ.Equal(StructType(typ.Fields[0])) || !typ.Equal(StructType(typ.Fields...)) || typ.Equal(nil) {
		t.Error("Equal does not compare fields")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(NewRow(NewInt(5), NewArray(NewString("x")), FromDecimal(NewDecimal(5, 1)))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Check(b) != nil {
			return
		}
		walk(Row(b))
	})
}

func walk(r Row) {
	for _, v := range r.Values() {
		if v.Kind().IsNested() {
			walk(v.Row())
		}
		if v.Kind() == KindDecimal {
			_ = v.Decimal()
		}
	}
}

func TestPartsOfRowsAreCopiedAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(values, 0, 20).Draw(t, "values")
		r := NewRow(list...)
		from := rapid.IntRange(0, len(list)).Draw(t, "from")
		to := rapid.IntRange(from, len(list)).Draw(t, "to")
		if got, want := r.Slice(from, to), NewRow(list[from:to]...); got != want {
			t.Fatalf("%x from %d to %d: %x, want %x", r, from, to, got, want)
		}
		v := values.Draw(t, "value")
		spliced := Make(func(b *Builder) {
			b.AddRange(r, 0, from)
			b.Add(v)
			b.AddRange(r, to, len(list))
		})
		if want := NewRow(append(append(append([]Value{}, list[:from]...), v), list[to:]...)...); spliced != want {
			t.Fatalf("%x with %v from %d to %d: %x, want %x", r, v, from, to, spliced, want)
		}
		if got, want := Join(r, spliced, from), NewRow(append(append([]Value{}, list...), list[:from]...)...); got != want {
			t.Fatalf("%x with %d of %x: %x, want %x", r, from, spliced, got, want)
		}
		if diff := cmp.Diff(list, r.Append(nil), cmp.AllowUnexported(Value{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestPartsAreReadWithoutValues: what is read of a row's bytes is what its values say.
func TestPartsAreReadWithoutValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(values, 0, 20).Draw(t, "values")
		r, seen := NewRow(list...), map[Value]bool{}
		for i, v := range list {
			seen[v] = true
			k, text, n := r.PartAt(i)
			number := k == KindInt || k == KindBigint || k.IsTemporal()
			if k != v.Kind() || number && n != v.Int64() || (k == KindString || k == KindBytes || k.IsNested()) && text != v.Text() {
				t.Fatalf("%v: %v, %q, %d", v, k, text, n)
			}
			if !v.Kind().IsNested() {
				continue
			}
			for at, part := range v.Row().Values() {
				if got := Make(func(b *Builder) { b.AddField(r, i, at) }); got != NewRow(part) {
					t.Fatalf("part %d of %v: %x", at, v, got)
				}
			}
		}
		if got, want := r.Repeats(), len(seen) < len(list); got != want {
			t.Fatalf("%v repeats: %v, want %v", list, got, want)
		}
	})
	if got := Make(func(b *Builder) { b.AddField(NewRow(Null), 0, 3) }); got != NewRow(Null) {
		t.Errorf("a part of null: %x", got)
	}
}

// addOpen adds a value part by part.
func addOpen(b *Builder, v Value) {
	if !v.Kind().IsNested() {
		b.Add(v)
		return
	}
	b.Open()
	for _, part := range v.Row().Values() {
		addOpen(b, part)
	}
	b.Close(v.Kind())
}

func TestNestedValuesAreAddedPartByPart(t *testing.T) {
	check := func(list ...Value) string {
		got := Make(func(b *Builder) {
			for _, v := range list {
				addOpen(b, v)
			}
		})
		if want := NewRow(list...); got != want {
			return hex.EncodeToString([]byte(got)) + ", want " + hex.EncodeToString([]byte(want))
		}
		return ""
	}
	rapid.Check(t, func(t *rapid.T) {
		if wrong := check(rapid.SliceOfN(values, 0, 20).Draw(t, "values")...); wrong != "" {
			t.Fatal(wrong)
		}
	})
	for _, size := range []int{252, 253, 1 << 16} {
		if check(NewInt(1), NewStruct(NewArray(NewString(strings.Repeat("x", size)), Null), NewInt(7)), NewArray()) != "" {
			t.Errorf("%d bytes: another row", size)
		}
	}
}

func TestARowOfAnyWidth(t *testing.T) {
	for _, size := range []int{200, 250, 251, 1 << 16, 1<<16 + 1} {
		text := NewString(strings.Repeat("x", size))
		for _, list := range [][]Value{{text}, {text, NewInt(1)}, {Null, text, Null, text}} {
			var b Builder
			for _, v := range list {
				b.Add(v)
			}
			r := NewRow(list...)
			if built := b.Row(); r != built {
				t.Fatalf("%d bytes: NewRow and a Builder differ", size)
			}
			if err := Check([]byte(r)); err != nil {
				t.Fatal(err)
			}
			for i, v := range list {
				if r.At(i) != v {
					t.Fatalf("%d bytes: value %d is another one", size, i)
				}
			}
		}
	}
}

func TestNewRowAllocatesOnce(t *testing.T) {
	list := payment().Values()
	if n := testing.AllocsPerRun(100, func() { NewRow(list...) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
