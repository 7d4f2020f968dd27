package expr

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/row"
)

// What one evaluation may take at most. The machine may be busy: it is the order of magnitude that counts.
const (
	mostBytes = 1 << 30
	mostTime  = 3 * time.Minute
)

// FuzzFunctions calls each function with arguments of its types, edge values and such as cost much. It wants a value or an error, in bounded
// time and memory. which picks the function and its signature, seed the values.
func FuzzFunctions(f *testing.F) {
	all := testLibrary.Descriptions()
	for i := range all {
		for j := range all[i].Signatures {
			f.Add(uint16(i), uint8(j), uint64(i*31+j), "x")
		}
	}
	for _, s := range hostileTexts {
		f.Add(uint16(len(s)), uint8(0), uint64(len(s)), s)
	}
	f.Fuzz(func(t *testing.T, which uint16, overload uint8, seed uint64, text string) {
		d := all[int(which)%len(all)]
		signature := d.Signatures[int(overload)%len(d.Signatures)]
		c := &caller{r: rand.New(rand.NewPCG(seed, 1)), text: text}
		c.call(t, d, signature)
	})
}

// hostileTexts are patterns, paths, JSON and the like that are slow or deep.
var hostileTexts = []string{
	"(a+)+$", "(?=a)(a|aa)+\\1b", "((((((((((a*)*)*)*)*)*)*)*)*)*", "[[[[", "(?<n>a)\\k<n>", "$1$1$1$1", "\\", "(", "a{1000}{1000}", "[a&&b]", "x*",
	"$.a.b[0]['c']", "$[*]..", strings.Repeat("[", 5000), strings.Repeat(`{"a":`, 3000), `{"a":1,"a":2}`, "\xff\xfe", "\x00", "yyyy-MM-dd'T'HH:mm:ss.SSSX",
	strings.Repeat("[", 300) + "y" + strings.Repeat("]", 300), "yyyyyyyyyyyyyyyyyyyyyyyyyy", "Europe/Berlin", "+25:00", "utf8", "hex", "base64", "😀é漢", "%%%", "%41%", "http://[::1", "a=b&c=%zz&&=",
	"BIG_ENDIAN", "DESC", "1e400", "-0", "NaN", "9999999999999999999999999999999999999999", strings.Repeat("9", 2000), strings.Repeat("a", 5000), "2024-02-30", "24:00:00",
}

// A caller makes a call of one function.
type caller struct {
	r      *rand.Rand
	text   string
	schema schema
	values []row.Value
}

// argTypes are the types that letters of signatures may stand for.
var argTypes = []string{
	"INT", "BIGINT", "DOUBLE", "DECIMAL(10, 2)", "DECIMAL(60, 30)", "STRING", "BOOLEAN", "BYTES", "DATE", "TIME", "TIMESTAMP", "ARRAY<INT>", "ARRAY<STRING>",
	"MAP<STRING, INT>", "STRUCT<A INT, B ARRAY<STRING>>",
}

func (c *caller) call(t *testing.T, d function.Description, signature string) {
	var args []string
	generics := map[string]string{}
	params, variadic := paramsOf(signature)
	for i, p := range params {
		n := 1
		if i == variadic {
			n = c.r.IntN(4)
		}
		for range n {
			args = append(args, c.argument(t, p, generics))
		}
	}
	text := d.Name + "(" + strings.Join(args, ", ") + ")"
	before, start := allocated(), time.Now()
	if err := c.evaluate(d.Kind, text); err != nil && err.Error() == "" {
		t.Errorf("%s: an error without words", text)
	}
	if bytes := allocated() - before; bytes > mostBytes {
		t.Errorf("%s over %s takes %d MB", text, c.shown(), bytes>>20)
	}
	if took := time.Since(start); took > mostTime {
		t.Errorf("%s over %s takes %v", text, c.shown(), took)
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func (c *caller) shown() string {
	var b strings.Builder
	for i, v := range c.values {
		fmt.Fprintf(&b, "%s=%.60q ", c.schema[i].Name, show(&Expr{node: constant(nil, c.schema[i].Type, v)}, ""))
	}
	return b.String()
}

// paramsOf reads the parameters of a signature's text, and which of them comes any number of times, -1: none.
func paramsOf(signature string) (params []string, variadic int) {
	variadic = -1
	depth, from := 0, 1
	for i := 0; i < len(signature); i++ {
		switch signature[i] {
		case '(', '<':
			depth++
		case ')', '>':
			depth--
		}
		if depth == 1 && signature[i] == ',' || depth == 0 {
			if p := strings.TrimSpace(signature[from:i]); p != "" {
				if whole, found := strings.CutSuffix(p, "..."); found {
					p, variadic = whole, len(params)
				}
				params = append(params, p)
			}
			from = i + 1
		}
		if depth == 0 {
			break
		}
	}
	return params, variadic
}

// argument is the text of an argument for a parameter; most are columns, whose values it makes.
func (c *caller) argument(t *testing.T, param string, generics map[string]string) string {
	switch {
	case strings.HasSuffix(param, " const"):
		return map[string]string{"INT": "3", "BOOLEAN": "TRUE"}[strings.TrimSuffix(param, " const")]
	case param == "INTERVALUNIT":
		return []string{"DAYS", "MILLISECONDS", "HOURS"}[c.r.IntN(3)]
	case strings.HasPrefix(param, "FUNCTION"):
		return c.lambda(param)
	}
	typ := c.instance(param, generics)
	name := fmt.Sprintf("C%d", len(c.schema))
	s := columns(t, name+" "+typ)
	c.schema = append(c.schema, s...)
	c.values = append(c.values, c.value(s[0].Type, 0))
	return name
}

// instance puts types in the place of letters.
func (c *caller) instance(param string, generics map[string]string) string {
	var b strings.Builder
	for i := 0; i < len(param); i++ {
		end := i
		for end < len(param) && (param[end] >= 'A' && param[end] <= 'Z') {
			end++
		}
		word := param[i:end]
		switch {
		case end == i:
			b.WriteByte(param[i])
			continue
		case len(word) == 1 || word == "ANY":
			if generics[word] == "" || word == "ANY" {
				generics[word] = argTypes[c.r.IntN(len(argTypes))]
			}
			b.WriteString(generics[word])
		case word == "DECIMAL":
			b.WriteString([]string{"DECIMAL(10, 2)", "DECIMAL(60, 30)", "DECIMAL(19, 0)"}[c.r.IntN(3)])
		case word == "STRUCT" && !strings.HasPrefix(param[end:], "<"):
			b.WriteString("STRUCT<A INT>")
		default:
			b.WriteString(word)
		}
		i = end - 1
	}
	return b.String()
}

// lambda is one with as many parameters as the text says: some grow what they are given.
func (c *caller) lambda(param string) string {
	n := strings.Count(param[:strings.LastIndexByte(param, ')')], ",") + 1
	names := []string{"X", "Y", "Z"}[:n]
	bodies := map[bool][]string{
		true:  {"X IS NULL", "TRUE", names[n-1] + " IS NOT NULL"},
		false: {"X", names[n-1], "CAST(X AS STRING) + CAST(X AS STRING)", "ARRAY[X, X]", "X + X", "GENERATE_SERIES(1, 100000)", "CONCAT(X, X)", "ARRAY_CONCAT(X, X)"},
	}[strings.HasSuffix(param, "BOOLEAN")]
	return "(" + strings.Join(names, ", ") + ") => " + bodies[c.r.IntN(len(bodies))]
}

// evaluate computes the call over the values and over nulls. The error is one of the compiler or the call.
func (c *caller) evaluate(kind function.Kind, text string) error {
	all, none := row.NewRow(c.values...), row.NewRow(make([]row.Value, len(c.values))...)
	switch kind {
	case function.AggregateFunction:
		return c.aggregate(text, all, none)
	case function.TableFunction:
		return c.table(text, all, none)
	}
	call, err := parsed(text)
	if err != nil {
		return err
	}
	x, err := Compile(call, c.schema, testLibrary)
	if err != nil {
		return err
	}
	if _, err := x.Eval(none); err != nil {
		return err
	}
	_, err = x.Eval(all)
	return err
}

func parsed(text string) (*ast.Call, error) {
	e, err := parse.Expression(text)
	if err != nil {
		return nil, err
	}
	return e.(*ast.Call), nil
}

func (c *caller) aggregate(text string, rows ...row.Row) error {
	call, err := parsed(text)
	if err != nil {
		return err
	}
	a, err := CompileAggregate(call, c.schema, testLibrary)
	if err != nil {
		return err
	}
	state := a.Initial()
	for range 3 {
		for _, r := range rows {
			if state, err = a.Add(state, r, nil); err != nil {
				return err
			}
		}
	}
	merged, err := a.Merge(state, state)
	if err != nil {
		return err
	}
	if _, err := a.Result(merged); err != nil {
		return err
	}
	for _, r := range rows {
		if !a.Undoable() {
			break
		}
		if state, err = a.Undo(state, r, nil); err != nil {
			return err
		}
	}
	_, err = a.Result(state)
	return err
}

func (c *caller) table(text string, rows ...row.Row) error {
	call, err := parsed(text)
	if err != nil {
		return err
	}
	f, err := CompileTable(call, c.schema, testLibrary)
	for _, r := range rows {
		if err == nil {
			_, err = f.Rows(r)
		}
	}
	return err
}

// value is an edge value of a type, mostly.
func (c *caller) value(t *row.Type, depth int) row.Value {
	r := c.r
	if r.IntN(12) == 0 {
		return row.Null
	}
	switch t.Kind {
	case row.KindBoolean:
		return row.NewBoolean(r.IntN(2) == 0)
	case row.KindInt:
		return row.NewInt([]int32{0, 1, -1, 2, 7, math.MaxInt32, math.MinInt32, 100_000_000, int32(r.Uint32())}[r.IntN(9)])
	case row.KindBigint:
		return row.NewBigint([]int64{0, 1, -1, 3, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1 << 53, int64(r.Uint64())}[r.IntN(9)])
	case row.KindDouble:
		return row.NewDouble([]float64{0, math.Copysign(0, -1), 1, -1.5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 5e-324, r.NormFloat64()}[r.IntN(10)])
	case row.KindDecimal:
		text := []string{"0", "1", "-1", "0.01", "-0.01", "99999999.99", "123456789012345678901234567890.5"}[r.IntN(7)]
		d, _ := row.ParseDecimal(text)
		if fitted, ok := d.Fit(t.Precision, t.Scale); ok {
			d = fitted
		}
		return row.FromDecimal(d)
	case row.KindString:
		return row.NewString(c.someText())
	case row.KindBytes:
		return row.NewBytes(c.someText())
	case row.KindDate:
		return row.NewDate([]int64{0, -1, 19000, math.MaxInt32, math.MinInt32, -719_529}[r.IntN(6)])
	case row.KindTime:
		return row.NewTime([]int64{0, 1, 86_399_999}[r.IntN(3)])
	case row.KindTimestamp:
		return row.NewTimestamp([]int64{0, -1, 1_700_000_000_123, math.MaxInt64, math.MinInt64, 253_402_300_800_000}[r.IntN(6)])
	}
	return c.nestedValue(t, depth)
}

func (c *caller) someText() string {
	switch c.r.IntN(6) {
	case 0:
		return c.text
	case 1:
		return strings.Repeat(c.text, 1+c.r.IntN(50))
	case 2:
		return strings.Repeat("a", 1<<c.r.IntN(18))
	}
	return hostileTexts[c.r.IntN(len(hostileTexts))]
}

func (c *caller) nestedValue(t *row.Type, depth int) row.Value {
	n := []int{0, 1, 2, 5, 20, 1000}[c.r.IntN(6-min(3*depth, 5))]
	switch t.Kind {
	case row.KindArray:
		out := make([]row.Value, n)
		for i := range out {
			out[i] = c.value(t.Elem, depth+1)
		}
		return row.NewArray(out...)
	case row.KindMap:
		out := make([]row.Entry, n)
		for i := range out {
			key := row.NewString(fmt.Sprint(c.r.IntN(2 * n)))
			if !t.Key.Is(row.KindString) {
				key = c.value(t.Key, depth+1)
			}
			out[i] = row.Entry{Key: key, Value: c.value(t.Elem, depth+1)}
		}
		return row.NewMap(out...)
	}
	out := make([]row.Value, len(t.Fields))
	for i, f := range t.Fields {
		out[i] = c.value(f.Type, depth+1)
	}
	return row.NewStruct(out...)
}
