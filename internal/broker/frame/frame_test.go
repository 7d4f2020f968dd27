package frame

import (
	"encoding/hex"
	"reflect"
	"testing"
)

var id = ID{0xab}

// Bytes of the bodies as docs/format/broker.md describes them. A change here is a change of the format.
func TestGoldenBodies(t *testing.T) {
	tests := []struct {
		about string
		got   []byte
		want  string
	}{
		{"batch head", AppendBatchHead(nil, 300, 5), "ac0205"},
		{"topic created", created.Append(nil), "0174ab000000000000000000000000000000" + "01" + "03" + "02" + "01016b0176"},
		{"partitions added", added.Append(nil), "ab0000000000000000000000000000000901"},
		{"settings changed", changed.Append(nil), "ab00000000000000000000000000000000"},
		{"transaction ended", ended.Append(nil), "0172" + "0e" + "04" + "01" + "8001" + "01" + "0102"},
		{"records deleted", AppendRecordsDeleted(nil, 1, 300), "01ac02"},
	}
	for _, test := range tests {
		if got := hex.EncodeToString(test.got); got != test.want {
			t.Errorf("%s: %s, want %s", test.about, got, test.want)
		}
	}
}

var (
	created = TopicCreated{Name: "t", ID: id, Internal: true, First: 3, Count: 2, Configs: map[string]string{"k": "v"}}
	added   = PartitionsAdded{ID: id, First: 9, Count: 1}
	changed = ConfigChanged{ID: id, Configs: map[string]string{}}
	ended   = TxnEnded{Record: []byte("r"), Producer: 7, Epoch: 2, Commit: true, At: 64, Markers: []Marker{{1, 2}}}
)

// roundTrip decodes b, every beginning of it, and it with a byte more.
func roundTrip[T any](t *testing.T, want T, b []byte, decode func([]byte) (T, error)) {
	t.Helper()
	if got, err := decode(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for i := range b {
		if got, err := decode(b[:i]); err == nil {
			t.Errorf("%d of %d bytes are taken for %+v", i, len(b), got)
		}
	}
	if _, err := decode(append(b, 0)); err == nil {
		t.Errorf("%T: a byte left over is not noticed", want)
	}
}

func TestRoundTrips(t *testing.T) {
	roundTrip(t, created, created.Append(nil), DecodeTopicCreated)
	roundTrip(t, added, added.Append(nil), DecodePartitionsAdded)
	roundTrip(t, changed, changed.Append(nil), DecodeConfigChanged)
	roundTrip(t, ended, ended.Append(nil), DecodeTxnEnded)
	roundTrip(t, id, id[:], DecodeTopicDeleted)
}

func FuzzDecode(f *testing.F) {
	f.Add(created.Append(nil))
	f.Add(added.Append(nil))
	f.Add(changed.Append(nil))
	f.Add(ended.Append(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := DecodeTxnEnded(b); err == nil {
			if again, err := DecodeTxnEnded(v.Append(nil)); err != nil || len(again.Markers) != len(v.Markers) {
				t.Errorf("%+v does not survive its own encoding: %v", v, err)
			}
		}
		_, _ = DecodeTopicCreated(b)
		_, _ = DecodePartitionsAdded(b)
		_, _ = DecodeConfigChanged(b)
		_, _ = DecodeTopicDeleted(b)
	})
}
