package table

import (
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/serde"
)

// The bytes are those of Kafka Streams' ChangedSerializer.
func TestRegroupedBytes(t *testing.T) {
	f := RegroupedSerde(serde.String)
	long := strings.Repeat("n", 100)
	for golden, r := range map[string]Regrouped[string]{
		"old\x00":                  {Old: "old", HasOld: true},
		"new\x01":                  {New: "new", HasNew: true},
		"\x06newold\x02":           {New: "new", Old: "old", HasOld: true, HasNew: true},
		"\xc8\x01" + long + "\x02": {New: long, HasOld: true, HasNew: true},
		"\x00\x02":                 {HasOld: true, HasNew: true},
	} {
		b, err := f.Append(nil, r)
		if err != nil || string(b) != golden {
			t.Errorf("got %x, %v, want %x", b, err, golden)
		}
		if back, err := f.Decode(b); err != nil || back != r {
			t.Errorf("got %+v, %v, want %+v", back, err, r)
		}
	}
	for _, b := range []string{"", "x\x03", "\x02", "\x08abc\x02", "\x01\x02"} {
		if _, err := f.Decode([]byte(b)); err == nil {
			t.Errorf("%x is an update", b)
		}
	}
	if _, err := f.Append(nil, Regrouped[string]{}); err == nil {
		t.Error("an update of nothing is written")
	}
}
