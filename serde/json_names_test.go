package serde

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// names has fields whose names are of all lengths that are treated apart.
type names struct {
	A                                int
	Ab                               string
	Abc                              int
	Abcd                             string
	Abcdefghij                       int
	Abcdefghijkl                     string
	Abcdefghijklm                    int
	Abcdefghijklmnopqrs              string
	Abcdefghijklmnopqrst             int
	Abcdefghijklmnopqrstu            string
	Abcdefghijklmnopqrstuvwxyzabcdef int
	Last                             string
}

var filled = names{1, "b", 3, "d", -5, "six", 7, "eight", 9999999999, "ten", 11, "l"}

func TestNamesOfAnyLengthAreWrittenIntoAnyRoom(t *testing.T) {
	s := JSON[names]()
	want, err := json.Marshal(filled)
	if err != nil {
		t.Fatal(err)
	}
	for room := range 2 * len(want) {
		got, err := s.Append(append(make([]byte, 0, len("before")+room), "before"...), filled)
		if err != nil || string(got) != "before"+string(want) {
			t.Fatalf("room for %d: %s, %v; want %s", room, got, err, want)
		}
	}
}

func TestAnObjectWithoutFields(t *testing.T) {
	type omitted struct {
		A int    `json:",omitempty"`
		B string `json:",omitempty"`
	}
	if got, err := JSON[omitted]().Append([]byte("before"), omitted{}); err != nil || string(got) != "before{}" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := JSON[omitted]().Append([]byte("before"), omitted{B: "b"}); err != nil || string(got) != `before{"B":"b"}` {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := JSON[struct{}]().Append(nil, struct{}{}); err != nil || string(got) != "{}" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestANameThatDiffersInOneByteIsAnotherName(t *testing.T) {
	s := JSON[names]()
	text, err := s.Append(nil, filled)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		for _, c := range []byte{'#', '"', ':', ' '} {
			changed := bytes.Clone(text)
			changed[i] = c
			var want names
			wantErr := json.Unmarshal(changed, &want)
			got, err := s.Decode(changed)
			if (err == nil) != (wantErr == nil) || err == nil && got != want {
				t.Fatalf("%s: %+v, %v; encoding/json: %+v, %v", changed, got, err, want, wantErr)
			}
		}
	}
}

func TestMembersInAnyOrderAndShape(t *testing.T) {
	s := JSON[names]()
	for _, text := range []string{
		`{"A":1,"Ab":"x"}`, `{"A":1, "Ab":"x"}`, `{"A":1,"Ab" :"x"}`, `{"A":1,"Ab": "x"}`, `{"Ab":"x","A":1}`, `{"A":1,"Abc":3,"Ab":"x","Last":"y"}`,
		`{"A":1,"new":{"A":2},"Ab":"x","Abc":3}`, `{"A":1,"Ab":null,"Abc":null,"Abcd":"é\n"}`, `{"A":1,"Ab":"x","Last":"y"}`, `{"Last":"y"}`, `{"A":1,"Ab":`, `{"A":1,"Ab":"`, `{"A":1,"Ab"`,
		`{"A":1,"Ab":5}`, `{"A":"1"}`, `{"A":1,"Ab":"` + strings.Repeat("x", 40) + `"}`, `{"A":12345678901234567890}`, `{"A":-9223372036854775808}`, `{"A":9223372036854775808}`, `{"A":1,}`,
	} {
		var want names
		wantErr := json.Unmarshal([]byte(text), &want)
		got, err := s.Decode([]byte(text))
		if (err == nil) != (wantErr == nil) || err == nil && got != want {
			t.Errorf("%s: %+v, %v; encoding/json: %+v, %v", text, got, err, want, wantErr)
		}
	}
	if got, err := s.Decode([]byte(`{"A":1,"Ab":"first","A":2,"Ab":"last"}`)); err != nil || got.A != 2 || got.Ab != "last" {
		t.Errorf("of names that come twice: %+v, %v", got, err)
	}
}
