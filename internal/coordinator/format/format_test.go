package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func TestFieldsComeBackAsWritten(t *testing.T) {
	b := AppendString(nil, "orders")
	b = AppendBytes(b, []byte{0, 1})
	b = AppendBytes(b, nil)
	b = binary.AppendVarint(b, -5)
	b = append(b, 7)
	r := NewReader(b)
	if s := r.String(); s != "orders" {
		t.Errorf("string %q", s)
	}
	if v := r.Bytes(); !bytes.Equal(v, []byte{0, 1}) {
		t.Errorf("bytes %v", v)
	}
	if v := r.Bytes(); v != nil {
		t.Errorf("empty bytes %v, want nil", v)
	}
	if v := r.Int32(); v != -5 {
		t.Errorf("number %d", v)
	}
	if v := r.Byte(); v != 7 {
		t.Errorf("byte %d", v)
	}
	if err := r.End(); err != nil {
		t.Error(err)
	}
}

func TestMalformedFieldsFailOnceAndForAll(t *testing.T) {
	tests := map[string]func(r *Reader){
		"string longer than the record": func(r *Reader) { _ = r.String() },
		"more elements than bytes":      func(r *Reader) { r.Count(1) },
		"number outside its range":      func(r *Reader) { r.Int(0, 10) },
		"left over":                     func(*Reader) {},
	}
	for name, read := range tests {
		t.Run(name, func(t *testing.T) {
			r := NewReader([]byte{200, 1, 2})
			read(r)
			if err := r.End(); !errors.Is(err, ErrMalformed) {
				t.Fatalf("End = %v, want ErrMalformed", err)
			}
			if r.Uvarint() != 0 || r.Byte() != 0 || r.String() != "" || r.Len() != 0 {
				t.Error("a failed reader still yields values")
			}
		})
	}
}

func TestFramesStopAtACutOffRecord(t *testing.T) {
	b := AppendBytes(AppendBytes(nil, []byte("a")), []byte("bc"))
	var got []string
	collect := func(rec []byte) error { got = append(got, string(rec)); return nil }
	if err := Frames(b, collect); err != nil || len(got) != 2 || got[1] != "bc" {
		t.Fatalf("Frames = %v, %v", got, err)
	}
	if err := Frames(b[:len(b)-1], collect); !errors.Is(err, ErrMalformed) {
		t.Errorf("cut off: %v, want ErrMalformed", err)
	}
}

func TestTopicsThatRepeatTakeOneByte(t *testing.T) {
	var w TopicWriter
	var b []byte
	names := []string{"", "", "payments", "payments", "refunds"}
	for _, name := range names {
		b = w.Append(b, name)
	}
	if len(b) != 1+1+9+1+8 {
		t.Errorf("%d bytes: %q", len(b), b)
	}
	var topics TopicReader
	r := NewReader(b)
	for _, name := range names {
		if got := topics.Read(r); got != name {
			t.Errorf("read %q, want %q", got, name)
		}
	}
	if err := r.End(); err != nil {
		t.Error(err)
	}
	topics, r = TopicReader{}, NewReader([]byte{0})
	if topics.Read(r); !r.Failed() {
		t.Error("a first topic that repeats nothing was read")
	}
}
