package frame

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/record"
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
		{"node settings", AppendNodeSettings(nil, map[string]string{"a": "1"}, map[string]string{"b": ""}), "01" + "0161" + "0131" + "01" + "0162" + "00"},
		{"records deleted", AppendRecordsDeleted(nil, 1, 300), "01ac02"},
		{"aborts forgotten", forgotten.Append(nil), "07" + "02" + "05" + "ac02"},
		{"credentials changed", credentials.Append(nil), "02" + "0161" + "01" + "01" + "8020" + "0173" + "20" + strings.Repeat("11", 32) + "20" + strings.Repeat("22", 32) + "0162" + "02" + "00"},
		{"ACLs changed", acls.Append(nil), "01" + "02030802" + "0174" + "06557365723a61" + "012a" + "01" + "05040403" + "00" + "06557365723a2a" + "0168"},
	}
	for _, test := range tests {
		if got := hex.EncodeToString(test.got); got != test.want {
			t.Errorf("%s: %s, want %s", test.about, got, test.want)
		}
	}
}

var (
	created     = TopicCreated{Name: "t", ID: id, Internal: true, First: 3, Count: 2, Configs: map[string]string{"k": "v"}}
	added       = PartitionsAdded{ID: id, First: 9, Count: 1}
	changed     = ConfigChanged{ID: id, Configs: map[string]string{}}
	forgotten   = AbortsForgotten{Number: 7, Markers: []record.Offset{5, 300}}
	credentials = CredentialsChanged{
		{auth.UserKey{Name: "a", Mechanism: auth.ScramSHA256}, &auth.Credential{Salt: []byte("s"), StoredKey: bytes.Repeat([]byte{0x11}, 32), ServerKey: bytes.Repeat([]byte{0x22}, 32), Iterations: 4096}},
		{auth.UserKey{Name: "b", Mechanism: auth.ScramSHA512}, nil},
	}
	acls = ACLsChanged{
		Removed: []auth.ACL{{Resource: auth.Topic, Pattern: auth.Literal, Name: "t", Principal: "User:a", Host: "*", Operation: auth.Describe, Permission: auth.Deny}},
		Added:   []auth.ACL{{Resource: auth.TransactionalID, Pattern: auth.Prefixed, Name: "", Principal: "User:*", Host: "h", Operation: auth.Write, Permission: auth.Allow}},
	}
	ended = TxnEnded{Record: []byte("r"), Producer: 7, Epoch: 2, Commit: true, At: 64, Markers: []Marker{{1, 2}}}
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
	roundTrip(t, forgotten, forgotten.Append(nil), DecodeAbortsForgotten)
	node := [2]map[string]string{{"a": "1"}, {}}
	roundTrip(t, node, AppendNodeSettings(nil, node[0], node[1]), func(b []byte) ([2]map[string]string, error) {
		own, all, err := DecodeNodeSettings(b)
		return [2]map[string]string{own, all}, err
	})
	roundTrip(t, credentials, credentials.Append(nil), DecodeCredentialsChanged)
	roundTrip(t, acls, acls.Append(nil), DecodeACLsChanged)
}

func FuzzDecode(f *testing.F) {
	f.Add(created.Append(nil))
	f.Add(added.Append(nil))
	f.Add(changed.Append(nil))
	f.Add(ended.Append(nil))
	f.Add(forgotten.Append(nil))
	f.Add(credentials.Append(nil))
	f.Add(acls.Append(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := DecodeTxnEnded(b); err == nil {
			if again, err := DecodeTxnEnded(v.Append(nil)); err != nil || len(again.Markers) != len(v.Markers) {
				t.Errorf("%+v does not survive its own encoding: %v", v, err)
			}
		}
		if v, err := DecodeCredentialsChanged(b); err == nil {
			if again, err := DecodeCredentialsChanged(v.Append(nil)); err != nil || !reflect.DeepEqual(v, again) {
				t.Errorf("%+v does not survive its own encoding: %v", v, err)
			}
		}
		if v, err := DecodeACLsChanged(b); err == nil {
			if again, err := DecodeACLsChanged(v.Append(nil)); err != nil || !reflect.DeepEqual(v, again) {
				t.Errorf("%+v does not survive its own encoding: %v", v, err)
			}
		}
		_, _ = DecodeAbortsForgotten(b)
		_, _ = DecodeTopicCreated(b)
		_, _ = DecodePartitionsAdded(b)
		_, _ = DecodeConfigChanged(b)
		_, _ = DecodeTopicDeleted(b)
	})
}
