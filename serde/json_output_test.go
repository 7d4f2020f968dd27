package serde

import (
	"errors"
	"math"
	"testing"
	"time"
)

// spoken writes itself through encoding.TextAppender, with characters that JSON escapes.
type spoken struct{ Words string }

func (s spoken) AppendText(dst []byte) ([]byte, error) {
	if s.Words == "silence" {
		return nil, errors.New(s.Words)
	}
	return append(dst, s.Words...), nil
}

func (s spoken) MarshalText() ([]byte, error) { return s.AppendText(nil) }

// spaced writes JSON with white space, which is taken out.
type spaced struct{ A int }

func (spaced) MarshalJSON() ([]byte, error) { return []byte(` { "a" : [ 1 , "x y" ] } `), nil }

type left struct {
	Same  int
	Named int `json:"named"`
}

type right struct {
	Same  int
	Other int `json:"named"`
}

// conflicts embeds two fields of the same name, which hide each other, and one that a tag decides.
type conflicts struct {
	left
	*right
	Tagged struct{ A int } `json:"tagged"`
	spoken `json:"spoken"` // not exported: no field in spite of the tag
	Loud   bool
}

// tagDecides has two fields named X at the same depth, one of them by a tag.
type tagDecides struct {
	first
	second
}

type first struct{ X int }

type second struct {
	Y int `json:"X"`
}

// chain embeds itself.
type chain struct {
	*chain
	V int
}

func TestJSONOutputIsThatOfEncodingJSON(t *testing.T) {
	var control []byte
	for c := range byte(0x80) {
		control = append(control, c)
	}
	for _, text := range []string{
		string(control), "", "a", "1234567", "12345678", "123456789\"", "\xff", "é\xe2\x80", "日本\u2028\u2029\ufffd😀", "x\x7fy", "<&>",
		"1234567\n", "12345678\n1234567", "\n2345678", "1234567é9",
	} {
		compareOutput(t, JSON[string](), text)
		compareOutput(t, JSON[[]upper](), []upper{upper(text)})
		compareOutput(t, JSON[spoken](), spoken{text})
		compareOutput(t, JSON[map[string]string](), map[string]string{text: text, "a": "b"})
		compareOutput(t, JSON[any](), any(text))
	}
	for _, v := range []float64{0, math.Copysign(0, -1), 1, -1.5, 1e-6, 9.99e-7, 1e-9, 1e-10, 1e20, 1e21, 1e100, math.MaxFloat64, math.SmallestNonzeroFloat64, 1.0 / 3} {
		compareOutput(t, JSON[float64](), v)
		if math.Abs(v) <= math.MaxFloat32 {
			compareOutput(t, JSON[float32](), float32(v))
		}
	}
	compareOutput(t, JSON[flat](), flat{I: math.MinInt64, I8: -128, I16: 300, I32: -7, U: math.MaxUint64, U8: 255, U16: 65535, U32: 1 << 31, U64: 1})
	compareOutput(t, JSON[[]spaced](), []spaced{{}, {}})
	compareOutput(t, JSON[conflicts](), conflicts{left: left{1, 2}, right: &right{3, 4}})
	compareOutput(t, JSON[conflicts](), conflicts{})
	compareOutput(t, JSON[tagDecides](), tagDecides{first{1}, second{2}})
	compareOutput(t, JSON[chain](), chain{V: 1, chain: &chain{V: 2}})
	compareOutput(t, JSON[[2]*time.Time](), [2]*time.Time{nil, {}})
	compareOutput(t, JSON[map[int]*string](), map[int]*string{2: nil, 1: nil})
	if err := encodeError(JSON[spoken](), spoken{"silence"}); err == nil || err.Error() != "json: this serde.spoken cannot be written as JSON" {
		t.Errorf("%v", err)
	}
}

func TestJSONOmitsWhatEncodingJSONOmits(t *testing.T) {
	type omits struct {
		A []int           `json:",omitempty"`
		B [0]int          `json:",omitempty"`
		C *int            `json:",omitempty"`
		D any             `json:",omitempty"`
		E bool            `json:",omitempty"`
		F float64         `json:",omitempty"`
		G struct{ X int } `json:",omitempty"`
		H struct{ X int } `json:",omitzero"`
		I time.Time       `json:",omitzero"`
		J *time.Time      `json:",omitzero"`
		K any             `json:",omitzero"`
		L []int           `json:",omitzero"`
		M string          `json:",omitempty,omitzero"`
		N zeroable        `json:",omitzero"`
	}
	zeroTime := time.Time{}
	s := JSON[omits]()
	compareOutput(t, s, omits{})
	compareOutput(t, s, omits{A: []int{}, D: 0, J: &zeroTime, K: zeroTime, L: []int{}, N: zeroable{7}})
	compareOutput(t, s, omits{A: []int{1}, C: new(int), E: true, F: math.Copysign(0, -1), I: time.Unix(1, 0).UTC(), M: "m", N: zeroable{1}})
}

// zeroable takes 7 for zero.
type zeroable struct{ N int }

func (z *zeroable) IsZero() bool { return z.N == 7 }
