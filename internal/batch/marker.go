package batch

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/record"
)

// Types of control records (KIP-98): the second field of the key.
const (
	controlAbort  = 0
	controlCommit = 1
)

// maxMarker bounds the records of a control batch in bytes; Kafka's own take 18.
const maxMarker = 1 << 10

// EndMarker returns the control batch that ends a transaction in one partition (KIP-98), base offset 0. Its record has the
// key {version int16 0, type int16} and the value {version int16 0, coordinator epoch int32}.
func EndMarker(producerID int64, producerEpoch int16, commit bool, coordinatorEpoch int32, at record.Timestamp) View {
	kind := uint16(controlAbort)
	if commit {
		kind = controlCommit
	}
	key := binary.BigEndian.AppendUint16(make([]byte, 2, 4), kind)
	value := binary.BigEndian.AppendUint32(make([]byte, 2, 6), uint32(coordinatorEpoch))

	var b Builder
	b.Append(at, key, value, nil)
	v := View(b.buf)
	fields{
		attributes:    attrTransactional | attrControl,
		count:         1,
		baseTimestamp: at,
		maxTimestamp:  at,
		producerID:    producerID,
		producerEpoch: producerEpoch,
		baseSequence:  -1,
	}.put(v)
	return v
}

// ParseEndMarker tells whether a control batch is a transaction's end and which.
func ParseEndMarker(v View) (commit, ok bool) {
	if !v.Control() {
		return false, false
	}
	var r Reader
	if err := r.Reset(v, maxMarker); err != nil || !r.Next() || len(r.Key) < 4 {
		return false, false
	}
	switch binary.BigEndian.Uint16(r.Key[2:]) {
	case controlAbort:
		return false, true
	case controlCommit:
		return true, true
	default:
		return false, false
	}
}
