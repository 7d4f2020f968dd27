package foreign

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/serde"
)

// The expected hashes are those of the reference implementation with seed 0.
func TestMurmur3(t *testing.T) {
	for text, want := range map[string]string{
		"":      "00000000000000000000000000000000",
		"hello": "cbd8a7b341bd9b025b1e906a48ae1d19",
		"The quick brown fox jumps over the lazy dog": "e34bbc7bbc071b6c7a433ca9c49a9347",
	} {
		high, low := murmur3Seeded([]byte(text), 0)
		if got := fmt.Sprintf("%016x%016x", high, low); got != want {
			t.Errorf("murmur3(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestHashTellsDeletedFromEmpty(t *testing.T) {
	if hashOf(nil) == hashOf([]byte{}) {
		t.Error("a deleted row has the hash of an empty value")
	}
}

func TestSubscriberBytes(t *testing.T) {
	var s subscriberSerde
	want := subscriber{High: 1 << 63, Low: 2, From: 7}
	b, err := s.Append(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	if golden := []byte("\x01\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x07"); !bytes.Equal(b, golden) {
		t.Errorf("got %x, want %x", b, golden)
	}
	if got, err := s.Decode(b); got != want || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, b[1:], append([]byte{2}, b[1:]...)} {
		if _, err := s.Decode(bad); err == nil {
			t.Errorf("%x is accepted", bad)
		}
	}
}

// A foreign key that another one begins with has subscriptions of its own.
func TestPrefixesAreApart(t *testing.T) {
	short, long := prefixOf(nil, []byte("a")), prefixOf(nil, []byte("ab"))
	end := behind(nil, short)
	row := append(bytes.Clone(short), "key"...)
	if bytes.Compare(row, short) < 0 || bytes.Compare(row, end) >= 0 {
		t.Errorf("%x is not from %x to %x", row, short, end)
	}
	if bytes.Compare(long, short) >= 0 && bytes.Compare(long, end) < 0 {
		t.Errorf("%x is from %x to %x", long, short, end)
	}
	if got := behind(nil, []byte{0, 0, 0, 1, 0xff}); !bytes.Equal(got, []byte{0, 0, 0, 2}) {
		t.Errorf("behind ff comes %x", got)
	}
}

// wrong is a receiver of other types than anything sends.
type wrong struct{}

func TestWiringChecksTypes(t *testing.T) {
	specs := map[string]operator.Spec{
		"subscribe": Subscribe[string, string, string]{},
		"join":      Join[string, string, string]{Store: "s", Key: serde.String, Foreign: serde.String},
		"resolve":   Resolve[string, string, string, string, string]{},
	}
	for name, spec := range specs {
		s := &operator.Site{Env: &operator.Env{}, Task: operator.NewTask(), Node: name, Inputs: []int{0, 1}, Children: []any{wrong{}}}
		if _, err := spec.Instance(s); err == nil {
			t.Errorf("%s: a child of the wrong type is accepted", name)
		}
	}
}

func TestMessageBytes(t *testing.T) {
	hash := Hash{High: 1, Low: 2, Some: true}
	subscriptions, responses := SubscriptionSerde(serde.String), ResponseSerde(serde.String)
	for golden, s := range map[string]Subscription[string]{
		"\x01\x02\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02k": {
			Key: "k", KeyBytes: []byte("k"), Hash: hash, Instruction: Ask, From: 7,
		},
		"\x01\x03\x02\x00\x00\x00\x00k": {Key: "k", KeyBytes: []byte("k"), Instruction: AskIfThere, Nowhere: true},
	} {
		b, err := subscriptions.Append(nil, s)
		if err != nil || string(b) != golden {
			t.Errorf("got %x, %v, want %x", b, err, golden)
		}
		if back, err := subscriptions.Decode(b); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("got %+v, %v, want %+v", back, err, s)
		}
	}
	for golden, r := range map[string]Response[string]{
		"\x01\x00\x00\x00\x00\x03": {To: 3},
		"\x01\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02row": {Present: true, Value: "row", Hash: hash},
		"\x01\x18\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02":    {To: 1, Retraction: true, Foreign: hash},
	} {
		b, err := responses.Append(nil, r)
		if err != nil || string(b) != golden {
			t.Errorf("got %x, %v, want %x", b, err, golden)
		}
		if back, err := responses.Decode(b); err != nil || back != r {
			t.Errorf("got %+v, %v, want %+v", back, err, r)
		}
	}
}

func TestMessagesThatAreNone(t *testing.T) {
	for _, b := range []string{"", "\x01", "\x02\x00\x00\x00\x00\x00\x00", "\x01\x09\x00\x00\x00\x00\x00", "\x01\x01\x01\x00\x00\x00\x00short"} {
		if _, err := SubscriptionSerde(serde.String).Decode([]byte(b)); err == nil {
			t.Errorf("%x is a subscription", b)
		}
	}
	for _, b := range []string{"", "\x01\x00\x00", "\x02\x00\x00\x00\x00\x00", "\x01\x00\x00\x00\x00\x00rest", "\x01\x01\x00\x00\x00\x00short"} {
		if _, err := ResponseSerde(serde.String).Decode([]byte(b)); err == nil {
			t.Errorf("%x is a response", b)
		}
	}
}
