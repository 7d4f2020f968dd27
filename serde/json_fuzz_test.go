package serde

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var fuzzSeeds = []string{
	cardText, `{}`, `[]`, `null`, ` { } `, `{"B":true,"I":-5,"I8":127,"I16":-32768,"i32":0,"U":7,"U8":255,"U64":18446744073709551615,"F":1.5e300,"F32":1e-7,"s":"a\u00e9\n","ſ":"x"}`,
	`{"b":true,"S":"upper","S":"twice","t":"long s"}`, `{"I8":128}`, `{"U":-0}`, `{"I":-0}`, `{"I":12.0}`, `{"I":1e2}`, `{"F":01}`, `{"F":1e999}`, `{"F32":1e39}`,
	`{"p":{"s":"x"},"l":[{"n":[1,2,3,4,5,6]},{}],"a":["1","2","3"],"m":{"b":1,"a":2},"k":{"x":null,"y":{"I":1}},"bytes":"AQID","any":{"a":[1,"x",null,1.5]},"raw": [ 1, 2 ]}`,
	`{"intm":{"5":"a","-1":"b"},"num":12.50,"when":"2026-07-25T09:15:30.123Z","up":"abc","pp":5,"-":3,"words":["a","b"],"inner":{"X":1,"y":2},"depth":3,"Below":"b","far":2.5,"Dash":"d"}`,
	`{"bytes":[1,2,300]}`, `{"bytes":""}`, `{"bytes":"A"}`, `{"up":"a1"}`, `{"up":5}`, `{"num":"x"}`, `{"num":"12"}`, `{"a":null,"m":null,"n":null,"any":null,"raw":null,"p":null}`,
	`{"s":"\ud83d\ude00 \ud83d \ude00\ud83d\u0041 \u2028"}`, "{\"s\":\"\xff\xc3\x28 \xe2\x80\xa8 é日本\"}", "{\"\xff\":1,\"s\\u0000\":2}", `{"s":"` + "\x01" + `"}`, `{"s":"\x"}`, `{"s":"\u12g4"}`,
	`{"s":"unfinished`, `{"s":"a"} x`, `{"s":"a"}}`, `{"s":}`, `{"s" "a"}`, `{,}`, `{"s":"a",}`, `[1,]`, `{"unknown":{"a":[{"b":[[]]}]},"s":"z"}`, `{"unknown":tru}`, `{"unknown":-}`,
	`[{"trxId":1,"trxAmount":"1.50","customerId":2},{"trxAmount":1e3},null]`, `[{"trxAmount":true}]`, `[{"trxAmount":"x"}]`, `{"s":"\"\\\/\b\f\n\r\t","B":false,"unknown":{"a":true,"b":false,"c":"x","d":1.5e+3,"e":null}}`,
	`{"s" : "a" , "I"	:	1}`, `{"B":t}`, `{"unknown":"a\x"}`, `{"I":-}`, `{"I":1`, `{"F":1.}`, `{"F":1e}`, `{"when":5}`, `{"raw":{"a": [1 ,2]}}`, strings.Repeat("[", 70) + strings.Repeat("]", 70), "", " ",
}

// FuzzJSON compares with encoding/json: which texts are accepted, what is read from them and how that is written.
func FuzzJSON(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte(seed))
	}
	check := []func(*testing.T, []byte){
		compare[flat](), compare[nested](), compare[[]payment](), compare[map[string]flat](), compare[[]float64](), compare[*[]string](),
		compare[int64](), compare[string](), compare[any](), compare[[3][]int8](), compare[[]byte](),
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, c := range check {
			c(t, text)
		}
	})
}

func compare[T any]() func(*testing.T, []byte) {
	s := JSON[T]()
	return func(t *testing.T, text []byte) {
		t.Helper()
		input := bytes.Clone(text)
		got, err := s.Decode(present(input))
		if !bytes.Equal(input, text) {
			t.Fatalf("%T: the input was changed", got)
		}
		if outOfBounds(text) || errors.Is(err, ErrNull) && string(bytes.TrimSpace(text)) == "null" {
			return
		}
		var want T
		wantErr := json.Unmarshal(text, &want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%T: %q: %v; encoding/json: %v", got, text, err, wantErr)
		}
		if err != nil {
			return
		}
		for i := range input {
			input[i] = 'x' // results own their memory
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %+v; encoding/json: %+v", text, got, want)
		}
		compareOutput(t, s, got)
	}
}

func compareOutput[T any](t *testing.T, s Serde[T], v T) {
	t.Helper()
	got, err := s.Append([]byte("before"), v)
	if got == nil && err == nil {
		return // null
	}
	want := bytes.NewBufferString("before")
	enc := json.NewEncoder(want)
	enc.SetEscapeHTML(false)
	wantErr := enc.Encode(&v)
	if err != nil || wantErr != nil {
		t.Fatalf("%+v: %v; encoding/json: %v", v, err, wantErr)
	}
	if string(got)+"\n" != want.String() {
		t.Fatalf("wrote    %s\nencoding/json %s", got, want)
	}
}

// outOfBounds tells the texts for which the rules differ on purpose: nested too deeply, or with a name that comes twice.
func outOfBounds(text []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(text))
	var names []map[string]bool // of the objects that are open; nil for an array
	key := false
	for {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		switch token {
		case json.Delim('{'):
			names = append(names, map[string]bool{})
			if key = true; len(names) > MaxJSONDepth {
				return true
			}
			continue
		case json.Delim('['):
			names = append(names, nil)
		case json.Delim('}'), json.Delim(']'):
			names = names[:len(names)-1]
		default:
			if name, ok := token.(string); ok && key {
				folded := string(fold(nil, []byte(name)))
				if names[len(names)-1][folded] {
					return true
				}
				names[len(names)-1][folded] = true
				key = false
				continue
			}
		}
		if len(names) > MaxJSONDepth {
			return true
		}
		key = len(names) > 0 && names[len(names)-1] != nil
	}
}
