package serde

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestScalarsAreWrittenAsKafkaDoes(t *testing.T) {
	check(t, Int64, -2, "\xff\xff\xff\xff\xff\xff\xff\xfe")
	check(t, Int64, math.MinInt64, "\x80\x00\x00\x00\x00\x00\x00\x00")
	check(t, Int32, 258, "\x00\x00\x01\x02")
	check(t, Float64, 1.5, "\x3f\xf8\x00\x00\x00\x00\x00\x00")
	check(t, String, "a\xffé", "a\xffé")
	check(t, String, "", "")
	check(t, Nullable(Int32), new(int32), "\x00\x00\x00\x00")
}

func check[T any](t *testing.T, s Serde[T], v T, want string) {
	t.Helper()
	out, err := s.Append(nil, v)
	if err != nil || out == nil || string(out) != want {
		t.Fatalf("%v was written as %q, %v", v, out, err)
	}
	again, err := s.Decode(out)
	if err != nil {
		t.Fatal(err)
	}
	if out, err = s.Append([]byte("x"), again); err != nil || string(out) != "x"+want {
		t.Fatalf("%v came back as %q, %v", v, out, err)
	}
}

func TestScalarsAndNull(t *testing.T) {
	refuses(t, String)
	refuses(t, Int64)
	refuses(t, Int32)
	refuses(t, Float64)
	holds(t, Bytes)
	holds(t, Nullable(String))
	if v, err := Nullable(String).Decode([]byte{}); err != nil || v == nil || *v != "" {
		t.Errorf("an empty string became %v, %v", v, err)
	}
	empty, err := Bytes.Append(nil, []byte{})
	if err != nil || empty == nil {
		t.Error("empty bytes became null")
	}
	if empty, err = Bytes.Decode(empty); err != nil || empty == nil {
		t.Error("empty bytes were read as null")
	}
}

func refuses[T any](t *testing.T, s Serde[T]) {
	t.Helper()
	if _, err := s.Decode(nil); !errors.Is(err, ErrNull) || s.HoldsNull() {
		t.Errorf("%T takes null: %v", s, err)
	}
}

func holds[T any](t *testing.T, s Serde[T]) {
	t.Helper()
	v, err := s.Decode(nil)
	if err != nil || !s.HoldsNull() {
		t.Errorf("%T does not take null: %v", s, err)
	}
	if out, err := s.Append([]byte("x"), v); out != nil || err != nil {
		t.Errorf("%T wrote null as %q, %v", s, out, err)
	}
}

func TestScalarSizesAreChecked(t *testing.T) {
	for _, size := range []int{0, 1, 7, 9} {
		_, err := Int64.Decode(make([]byte, size))
		var e *Error
		if !errors.As(err, &e) || e.Format != "int64" {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	_, err := Int32.Decode([]byte("4111111"))
	if err == nil || err.Error() != "int32: at byte 4: 7 bytes where 4 are needed" {
		t.Errorf("%v", err)
	}
}

func TestBytesAreCopied(t *testing.T) {
	in := []byte("abc")
	out, err := Bytes.Decode(in)
	in[0] = 'x'
	if err != nil || !bytes.Equal(out, []byte("abc")) {
		t.Fatalf("%s, %v", out, err)
	}
}
