package windowed_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

func TestKeysAreWrittenAsKafkaStreamsWritesThem(t *testing.T) {
	k := windowed.Key[string]{Key: "ab", Start: 258, End: 358}
	window, err := windowed.Serde(serde.String, 100).Append([]byte("x"), k)
	if want := "xab\x00\x00\x00\x00\x00\x00\x01\x02"; err != nil || string(window) != want {
		t.Errorf("window %q, %v, want %q", window, err, want)
	}
	session, err := windowed.SessionSerde(serde.String).Append(nil, k)
	if want := "ab\x00\x00\x00\x00\x00\x00\x01\x66\x00\x00\x00\x00\x00\x00\x01\x02"; err != nil || string(session) != want {
		t.Errorf("session %q, %v, want %q", session, err, want)
	}
	if got, err := windowed.Serde(serde.String, 100).Decode(window[1:]); err != nil || got != k {
		t.Errorf("window read as %v, %v", got, err)
	}
	if got, err := windowed.SessionSerde(serde.String).Decode(session); err != nil || got != k {
		t.Errorf("session read as %v, %v", got, err)
	}
	if b := windowed.AppendTime(nil, []byte("ab"), 258); !bytes.Equal(b, window[1:]) {
		t.Errorf("the store's key is %q, the topic's %q", b, window[1:])
	}
	if b := windowed.AppendSession(nil, []byte("ab"), 258, 358); !bytes.Equal(b, session) {
		t.Errorf("the store's key is %q, the topic's %q", b, session)
	}
}

func TestNullAndShortKeys(t *testing.T) {
	for name, s := range map[string]serde.Serde[windowed.Key[[]byte]]{
		"window": windowed.Serde(serde.Bytes, 10), "session": windowed.SessionSerde(serde.Bytes),
	} {
		if b, err := s.Append([]byte("x"), windowed.Key[[]byte]{}); b != nil || err != nil {
			t.Errorf("%s: a null key is written as %q, %v", name, b, err)
		}
		if _, err := s.Decode(nil); !errors.Is(err, serde.ErrNull) {
			t.Errorf("%s: null is read with %v", name, err)
		}
		var wrong *serde.Error
		if _, err := s.Decode(make([]byte, 7)); !errors.As(err, &wrong) {
			t.Errorf("%s: 7 bytes are read with %v", name, err)
		}
	}
}

func TestSerdesAreComparable(t *testing.T) {
	if windowed.Serde(serde.String, 10) != windowed.Serde(serde.String, 10) {
		t.Error("two serdes of one size differ")
	}
	if windowed.Serde(serde.String, 10) == windowed.Serde(serde.String, 20) {
		t.Error("serdes of two sizes are equal")
	}
	if windowed.SessionSerde(serde.String) != windowed.SessionSerde(serde.String) {
		t.Error("two serdes of sessions differ")
	}
}

func TestNoWindowEndsBehindTheEndOfTime(t *testing.T) {
	if end := windowed.End(math.MaxInt64-5, 10); end != windowed.Forever {
		t.Errorf("end %d", end)
	}
	if end := windowed.End(3, windowed.Forever); end != windowed.Forever {
		t.Errorf("end %d of an unlimited window", end)
	}
}

func TestAKeyAmongTheWindowsOfAnother(t *testing.T) {
	long := windowed.AppendTime(nil, []byte("a\x00\x00\x00\x00\x00\x00\x00\x05"), 1)
	if windowed.HasKey(long, []byte("a")) {
		t.Error("a longer key counts as a")
	}
	if !windowed.HasKey(windowed.AppendTime(nil, []byte("a"), 5), []byte("a")) {
		t.Error("a does not count as a")
	}
}

func FuzzWindow(f *testing.F) {
	f.Add([]byte("a\x00\x00\x00\x00\x00\x00\x00\x05"), int64(10))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		checkSerde(t, windowed.Serde(serde.String, record.Timestamp(size)), b)
	})
}

func FuzzSession(f *testing.F) {
	f.Add([]byte("a\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x03"))
	f.Fuzz(func(t *testing.T, b []byte) { checkSerde(t, windowed.SessionSerde(serde.String), b) })
}

// checkSerde reads b and writes the result: what can be read is written as it was.
func checkSerde(t *testing.T, s serde.Serde[windowed.Key[string]], b []byte) {
	k, err := s.Decode(b)
	if err != nil {
		return
	}
	again, err := s.Append(nil, k)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("%q is written as %q, %v", b, again, err)
	}
}

func TestAllWindowsOfAKeyHaveOnePlace(t *testing.T) {
	for _, s := range []serde.Serde[windowed.Key[string]]{windowed.Serde(serde.String, 10), windowed.SessionSerde(serde.String)} {
		b, err := s.Append([]byte{}, windowed.Key[string]{Key: "tea", Start: 20, End: 30})
		if err != nil {
			t.Fatal(err)
		}
		if got := windowed.PlacedBy(s)(b); string(got) != "tea" {
			t.Errorf("%T: placed by %q", s, got)
		}
	}
	if got := windowed.PlacedBy(serde.String)([]byte("tea")); string(got) != "tea" {
		t.Errorf("placed by %q", got)
	}
}
