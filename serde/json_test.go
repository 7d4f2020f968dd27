package serde

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/row"
)

func TestJSONReadsAndWritesACardPayment(t *testing.T) {
	s := JSON[cardPayment]()
	v := decode(t, s, cardText)
	amount, err := row.ParseDecimal("250000.50")
	if err != nil {
		t.Fatal(err)
	}
	want := cardPayment{
		TrxID: 1658712345678, TrxAmount: amount, CardNo: "4111111111111111", CardHolder: "Fowler", ExpiryDate: "2029-07-31",
		Issuer: "DUKE BANK", CustomerID: 1, TrxDate: "2026-07-25T09:15:30.123",
	}
	if v != want {
		t.Fatalf("read %+v", v)
	}
	if out, err := s.Append(nil, v); err != nil || string(out) != cardText {
		t.Fatalf("wrote %s, %v", out, err)
	}
}

func TestJSONErrorsNameThePlaceAndNeverTheValue(t *testing.T) {
	card, list, scalars, deep, valid := JSON[cardPayment](), JSON[lastFive](), JSON[flat](), JSON[nested](), JSON[validated]()
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"empty input", decodeError(card, ``), "json: at byte 0: empty input"},
		{"white space only", decodeError(card, "  "), "json: at byte 2: empty input"},
		{"not JSON", decodeError(card, `4111111111111111`), "json: at byte 0: a number where an object is needed"},
		{"no value", decodeError(card, `card`), "json: at byte 0: not a JSON value"},
		{"missing required field", decodeError(card, ` {"trxAmount":1}`), "json: customerId at byte 1: missing"},
		{"null in a required field", decodeError(card, `{"trxAmount":null}`), "json: trxAmount at byte 13: null, but required"},
		{"amount that is no number", decodeError(card, `{"trxAmount":"4111111111111111x"}`), "json: trxAmount at byte 13: not a decimal number"},
		{"amount that is an object", decodeError(card, `{"trxAmount":{}}`), "json: trxAmount at byte 13: an object where a number or a string is needed"},
		{"number for a string", decodeError(card, `{"cardNo":4111111111111111}`), "json: cardNo at byte 10: a number where a string is needed"},
		{"string for a number", decodeError(card, `{"trxId":"4111111111111111"}`), "json: trxId at byte 9: a string where a number is needed"},
		{"fraction for an integer", decodeError(card, `{"trxId":12.0}`), "json: trxId at byte 9: not a whole number"},
		{"integer too large", decodeError(card, `{"trxId":9223372036854775808}`), "json: trxId at byte 9: number out of range"},
		{"integer far too large", decodeError(card, `{"trxId":-99999999999999999999999}`), "json: trxId at byte 9: number out of range"},
		{"negative for unsigned", decodeError(scalars, `{"U8":-1}`), "json: U8 at byte 6: number out of range"},
		{"unsigned too large", decodeError(scalars, `{"U8":256}`), "json: U8 at byte 6: number out of range"},
		{"unsigned too large by one", decodeError(scalars, `{"U64":18446744073709551616}`), "json: U64 at byte 7: number out of range"},
		{"float too large", decodeError(scalars, `{"F":1e400}`), "json: F at byte 5: number out of range"},
		{"NaN", decodeError(scalars, `{"F":NaN}`), "json: F at byte 5: not a JSON value"},
		{"leading zero", decodeError(scalars, `{"I":-007}`), "json: I at byte 6: number with a leading zero"},
		{"string for a boolean", decodeError(scalars, `{"B":"true"}`), "json: B at byte 5: a string where a boolean is needed"},
		{"cut off", decodeError(card, `{"cardNo":"4111`), "json: cardNo at byte 15: unexpected end"},
		{"cut off behind a colon", decodeError(card, `{"cardNo":`), "json: cardNo at byte 10: unexpected end"},
		{"no comma", decodeError(card, `{"trxId":1 "x":2}`), "json: at byte 11: neither a comma nor the end of the object or array"},
		{"no colon", decodeError(card, `{"trxId" 1}`), "json: at byte 9: no colon behind a field name"},
		{"trailing comma", decodeError(card, `{"trxId":1,}`), "json: at byte 11: not a field name"},
		{"something behind", decodeError(valid, `{"from":1,"to":2} 4111`), "json: at byte 18: something behind the value"},
		{"bad escape", decodeError(card, `{"cardNo":"\y"}`), "json: cardNo at byte 11: bad escape in a string"},
		{"control character", decodeError(card, "{\"cardNo\":\"a\nb\"}"), "json: cardNo at byte 12: control character in a string"},
		{"in a list", decodeError(list, `{"payments":[{},{"trxAmount":"x"}]}`), "json: payments[1].trxAmount at byte 29: not a decimal number"},
		{"in a map", decodeError(deep, `{"k":{"4111111111111111":{"I8":1000}}}`), "json: k{}.I8 at byte 31: number out of range"},
		{"in an embedded struct", decodeError(deep, `{"depth":"4111"}`), "json: depth at byte 9: a string where a number is needed"},
		{"text that a type refuses", decodeError(deep, `{"words":["x","4111111111111111"]}`), "json: words[1] at byte 14: not a value of serde.upper"},
		{"bad time", decodeError(deep, `{"when":"4111111111111111"}`), "json: when at byte 8: not a value of time.Time"},
		{"bad number by fallback", decodeError(deep, `{"num":"4111111111111111x"}`), "json: num at byte 7: not a value of json.Number"},
		{"bad base64", decodeError(deep, `{"bytes":"4111-"}`), "json: bytes at byte 9: not base64"},
		{"in an unknown field", decodeError(card, `{"other":[1,{"a":nul}]}`), "json: at byte 17: not a JSON value"},
		{"too deep", decodeError(JSON[any](), strings.Repeat("[", 65)+strings.Repeat("]", 65)), "json: at byte 64: nested too deeply"},
		{"Validate", decodeError(valid, `{"from":2,"to":1}`), "json: at byte 0: to is before from"},
		{"Validate inside", decodeError(valid, `{"from":1,"to":2,"sub":{"from":2,"to":1}}`), "json: sub at byte 23: to is before from"},
		{"infinity", encodeError(scalars, flat{F: math.Inf(1)}), "json: F: JSON has no NaN and no infinity"},
		{"channel in any", encodeError(deep, nested{Any: make(chan int)}), "json: any: this interface {} cannot be written as JSON"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, c.err, c.want)
			continue
		}
		var e *Error
		if !errors.As(c.err, &e) || strings.Contains(c.err.Error(), "4111") {
			t.Errorf("%s: %T %v", c.name, c.err, c.err)
		}
	}
	if err := decodeError(valid, `{"from":2,"to":1}`); !errors.Is(err, errOrder) {
		t.Errorf("the cause of %v is lost", err)
	}
}

func TestJSONNull(t *testing.T) {
	plain, pointer := JSON[flat](), JSON[*flat]()
	if plain.HoldsNull() || !pointer.HoldsNull() {
		t.Fatal("HoldsNull is wrong")
	}
	for _, text := range [][]byte{nil, []byte("null"), []byte(" null ")} {
		if _, err := plain.Decode(text); !errors.Is(err, ErrNull) {
			t.Errorf("%q: %v", text, err)
		}
		if v, err := pointer.Decode(text); v != nil || err != nil {
			t.Errorf("%q: %v, %v", text, v, err)
		}
	}
	if out, err := pointer.Append([]byte("x"), nil); out != nil || err != nil {
		t.Errorf("nil was written as %q, %v", out, err)
	}
	if _, err := pointer.Decode([]byte{}); err == nil || errors.Is(err, ErrNull) {
		t.Errorf("empty input is taken for null: %v", err)
	}
	if v := decode(t, plain, `{"I":null,"s":null,"F":null,"B":null}`); v != (flat{}) {
		t.Errorf("null in fields became %+v", v)
	}
	if out, err := JSON[[]int]().Append(nil, nil); err != nil || string(out) != "null" {
		t.Errorf("nil slice: %q, %v", out, err)
	}
	if v := decode(t, JSON[[]int](), "null"); v != nil {
		t.Errorf("null became %v", v)
	}
}

func TestJSONOfANameThatComesTwiceTheLastCountsAlone(t *testing.T) {
	type inner struct{ A, B int }
	type outer struct {
		In inner
		L  []inner
		P  *inner
		M  map[string]int
	}
	v := decode(t, JSON[outer](), `{"In":{"A":1},"in":{"B":2},"L":[{"A":1},{"A":2}],"L":[{"B":3}],"P":{"A":1},"P":null,"M":{"a":1},"M":{"b":2}}`)
	want := outer{In: inner{B: 2}, L: []inner{{B: 3}}, M: map[string]int{"b": 2}}
	if !reflect.DeepEqual(v, want) {
		t.Fatalf("%+v", v)
	}
}

func TestJSONInputIsNotSharedWithTheResult(t *testing.T) {
	long := strings.Repeat("long ", 2000)
	for _, text := range []string{
		`{"p":{"s":"plain"},"up":"abc","m":{"key":1},"bytes":"AQID","raw":[1],"any":"x"}`,
		`{"p":{"s":"esc\u0061ped\n\ud83d\ude00"},"words":["a\tb"]}`,
		"{\"p\":{\"s\":\"wrong \xff UTF-8\"}}",
		`{"p":{"s":"` + long + `\n"},"a":["` + long + `","b"]}`,
	} {
		s, input := JSON[nested](), []byte(text)
		v, err := s.Decode(input)
		if err != nil || string(input) != text {
			t.Fatalf("%v, or the input was changed", err)
		}
		for i := range input {
			input[i] = '#'
		}
		if again := decode(t, s, text); !reflect.DeepEqual(v, again) {
			t.Fatalf("changed with the input: %+v", v)
		}
	}
}

func TestJSONOfALongTextIsNotKeptForAShortField(t *testing.T) {
	s, text := JSON[flat](), []byte(`{"unknown":"`+strings.Repeat("x", 1<<20)+`","s":"short"}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v, err := s.Decode(text)
	runtime.ReadMemStats(&after)
	if err != nil || v.S != "short" || after.TotalAlloc-before.TotalAlloc > 1<<19 {
		t.Fatalf("%q, %v, %d bytes", v.S, err, after.TotalAlloc-before.TotalAlloc)
	}
}

func TestJSONOptions(t *testing.T) {
	type options struct {
		Quoted  int               `json:"quoted,string"`
		QuotedP *bool             `json:"quotedP,string"`
		QuotedS string            `json:"quotedS,string"`
		Empty   map[string]string `json:"empty,omitempty"`
		Zero    row.Decimal       `json:"zero,omitzero"`
		ZeroP   *time.Time        `json:"zeroP,omitzero"`
		HTML    string
	}
	yes := true
	s := JSON[options]()
	v := options{Quoted: -12, QuotedP: &yes, QuotedS: "a\"b", HTML: "<&>"}
	const text = `{"quoted":"-12","quotedP":"true","quotedS":"\"a\\\"b\"","HTML":"<&>"}`
	if out, err := s.Append(nil, v); err != nil || string(out) != text {
		t.Fatalf("wrote %s, %v", out, err)
	}
	if got := decode(t, s, text); !reflect.DeepEqual(got, v) {
		t.Fatalf("read %+v", got)
	}
	for _, bad := range []string{`{"quoted":12}`, `{"quoted":"x"}`, `{"quoted":" 1"}`, `{"quoted":"1x"}`, `{"quotedS":"a"}`, `{"quotedP":true}`, `{"quoted":""}`} {
		if decodeError(s, bad) == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestJSONOfManyFields(t *testing.T) {
	var fields []reflect.StructField
	for i := range 100 {
		name := "F" + strings.Repeat("x", i)
		fields = append(fields, reflect.StructField{Name: name, Type: reflect.TypeFor[int](), Tag: `serde:"required"`})
	}
	typ := reflect.StructOf(fields)
	p := compile(typ)
	text := "{"
	for i := range 100 {
		text += `"F` + strings.Repeat("x", i) + `":1,`
	}
	v := reflect.New(typ)
	var d decoder
	err := d.run(p, v.UnsafePointer(), []byte(strings.TrimSuffix(text, ",")+`,"F":2}`))
	if err != nil || v.Elem().Field(0).Int() != 2 || v.Elem().Field(99).Int() != 1 {
		t.Fatalf("%v", err)
	}
	err = new(decoder).run(p, reflect.New(typ).UnsafePointer(), []byte(strings.Replace(text, `"F`+strings.Repeat("x", 99)+`":1,`, `"F":1}`, 1)))
	if err == nil || !strings.HasSuffix(err.Error(), "missing") {
		t.Fatalf("%v", err)
	}
}

func TestJSONRefusesTypesThatItCannotWrite(t *testing.T) {
	type loop *loop
	for name, build := range map[string]func(){
		"channel":  func() { JSON[struct{ C chan int }]() },
		"function": func() { JSON[[]func()]() },
		"complex":  func() { JSON[complex128]() },
		"tag": func() {
			JSON[struct {
				A int `serde:"requierd"`
			}]()
		},
		"loop": func() { JSON[loop]() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "serde: JSON[") {
					t.Errorf("no panic: %q", text)
				}
			}()
			build()
		})
	}
}

func TestJSONDepthIsLimitedInOutput(t *testing.T) {
	type list struct{ Next *list }
	loop := &list{}
	loop.Next = loop
	err := encodeError(JSON[*list](), loop)
	if err == nil || !strings.HasSuffix(err.Error(), reasonDepth) {
		t.Fatalf("%v", err)
	}
	var nodes *list
	for range MaxJSONDepth {
		nodes = &list{Next: nodes}
	}
	if err := encodeError(JSON[*list](), nodes); err != nil {
		t.Fatal(err)
	}
	if err := encodeError(JSON[*list](), &list{Next: nodes}); err == nil {
		t.Fatal("too deep by one, but written")
	}
	deep := any(1)
	for range MaxJSONDepth {
		deep = []any{deep}
	}
	if err := encodeError(JSON[any](), deep); err != nil {
		t.Fatal(err)
	}
	if err := encodeError(JSON[[]any](), []any{deep}); err == nil {
		t.Fatal("too deep, but written")
	}
}

type appendsNothing struct{}

func (appendsNothing) AppendJSON(dst []byte) ([]byte, error) { return nil, nil }

type marshalsGarbage struct{}

func (marshalsGarbage) MarshalJSON() ([]byte, error) { return []byte(`{"a":1} 2`), nil }

func TestJSONFromMethodsIsChecked(t *testing.T) {
	if encodeError(JSON[appendsNothing](), appendsNothing{}) == nil || encodeError(JSON[marshalsGarbage](), marshalsGarbage{}) == nil ||
		encodeError(JSON[json.RawMessage](), json.RawMessage("{")) == nil {
		t.Fatal("accepted")
	}
}

func TestJSONKeepsTheBufferWhenItFails(t *testing.T) {
	dst, err := JSON[float64]().Append([]byte("before"), math.NaN())
	if err == nil || string(dst) != "before" {
		t.Fatalf("%q, %v", dst, err)
	}
}

func TestJSONIsSafeForConcurrentUse(t *testing.T) {
	s := JSON[lastFive]()
	five := fivePayments()
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			v := five
			v.CustomerID = int64(i)
			for range 200 {
				text, err := s.Append(nil, v)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := s.Decode(text); err != nil || !reflect.DeepEqual(got, v) {
					t.Errorf("%+v, %v", got, err)
					return
				}
			}
		})
	}
	wait.Wait()
}

func TestJSONAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled frames")
	}
	card, five := JSON[cardPayment](), JSON[lastFive]()
	text, v := []byte(cardText), fivePayments()
	escaped := []byte(strings.Replace(cardText, "Fowler", `F\u00f6wler \"M\"`, 1))
	numbers := JSON[struct{ TrxID, CustomerID int64 }]()
	dst := make([]byte, 0, 4096)
	for _, c := range []struct {
		name string
		want float64
		run  func() error
	}{
		{"decode a card payment", 1, func() error { _, err := card.Decode(text); return err }},
		{"decode with escapes", 1, func() error { _, err := card.Decode(escaped); return err }},
		{"decode numbers only", 0, func() error { _, err := numbers.Decode(text); return err }},
		{"encode five payments", 0, func() error { _, err := five.Append(dst, v); return err }},
	} {
		got := testing.AllocsPerRun(200, func() {
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
		})
		if got != c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
}

func decode[T any](t *testing.T, s Serde[T], text string) T {
	t.Helper()
	v, err := s.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func decodeError[T any](s Serde[T], text string) error {
	_, err := s.Decode([]byte(text))
	return err
}

func encodeError[T any](s Serde[T], v T) error {
	_, err := s.Append(nil, v)
	return err
}
