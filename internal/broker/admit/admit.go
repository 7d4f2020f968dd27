// Package admit judges a record batch at the door of a partition: its frame, its records, their times, and what its topic makes of
// it before it is stored.
//
// Callers: package broker, for clients' batches and the engine's. It calls batch and settings.
//
// Owner and locks: pure but for a bound on how many batches are inflated at a time, which all callers share.
//
// Errors are Kafka's, each with a sentence of ours; Blame names the records behind one (KIP-467).
//
// Not here: producers' sequences and transactions, offsets (broker).
package admit

import (
	"errors"
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// MaxInflatedBytes bounds what the records of one compressed batch may take when inflated; a larger one is MESSAGE_TOO_LARGE.
const MaxInflatedBytes = 64 << 20

// A Door is where batches of one partition come in: at time now, to a topic with these rules. What comes from this process is
// trusted: its framing is believed once the CRC holds, and records are looked at only for what the topic demands of each.
type Door struct {
	Partition record.TopicPartition
	Rules     *settings.Rules
	Now       record.Timestamp
	Trusted   bool
	Keyed     bool // of what is trusted: each record is known to have a key
}

// Batch checks b, which must hold one batch, and compresses and stamps it as the topic wants. The detail says more than the error.
func (d Door) Batch(b []byte) (v batch.View, err *kerr.Error, detail string) {
	v, err, detail = d.frame(b)
	if err == nil {
		err, detail = d.records(v)
	}
	if err == nil {
		err, detail = d.times(v)
	}
	if err == nil {
		v, err, detail = d.stamp(v)
	}
	if err != nil {
		return nil, err, detail
	}
	return v, nil, ""
}

// frame checks the size and the header.
func (d Door) frame(b []byte) (batch.View, *kerr.Error, string) {
	if int64(len(b)) > d.Rules.MaxBytes {
		return nil, kerr.MessageTooLarge, fmt.Sprintf("The batch for %v has %d bytes, its topic takes %d.", d.Partition, len(b), d.Rules.MaxBytes)
	}
	v, rest, err := batch.Next(b)
	switch {
	case len(b) == 0:
		return nil, kerr.InvalidRecord, "A partition takes exactly one record batch in a request."
	case errors.Is(err, batch.ErrUnsupportedMagic):
		return nil, kerr.InvalidRecord, "Only record batches with magic 2 are taken."
	case err != nil:
		return nil, kerr.CorruptMessage, err.Error()
	case len(rest) > 0:
		return nil, kerr.InvalidRecord, "A partition takes exactly one record batch in a request."
	case v.Control():
		return nil, kerr.InvalidRecord, "Clients cannot write control batches."
	case v.ProducerID() >= 0 && (v.BaseSequence() < 0 || v.ProducerEpoch() < 0):
		return nil, kerr.InvalidRecord, "A batch with a producer id needs an epoch and a sequence."
	case v.Transactional() && v.ProducerID() < 0:
		return nil, kerr.InvalidRecord, "A transactional batch needs a producer id."
	}
	return v, nil, ""
}

// stamp compresses v with the topic's codec, if it has one, and gives it the time.
func (d Door) stamp(v batch.View) (batch.View, *kerr.Error, string) {
	if codec, own := Codecs[d.Rules.Compression]; own && codec != v.Codec() {
		var err error
		if v, err = recompress(v, codec); err != nil {
			return nil, kerr.CorruptMessage, err.Error()
		}
		if int64(len(v)) > d.Rules.MaxBytes {
			return nil, kerr.MessageTooLarge, fmt.Sprintf("The batch for %v has %d bytes as %s, its topic takes %d.", d.Partition, len(v), d.Rules.Compression, d.Rules.MaxBytes)
		}
	}
	if d.Rules.AppendTime {
		v.SetLogAppendTime(d.Now)
	}
	return v, nil, ""
}

// Codecs are the values of compression.type that are not the producer's choice.
var Codecs = map[string]batch.Codec{
	"uncompressed": batch.None, "gzip": batch.Gzip, "snappy": batch.Snappy, "lz4": batch.LZ4, "zstd": batch.Zstd,
}

// recompressing bounds the batches that are inflated at a time, of MaxInflatedBytes each at most.
var recompressing = make(chan struct{}, 4)

func recompress(v batch.View, codec batch.Codec) (batch.View, error) {
	recompressing <- struct{}{}
	defer func() { <-recompressing }()
	return v.Recompress(nil, codec, MaxInflatedBytes)
}

// records checks the records' framing, and what a compacted topic wants of them.
func (d Door) records(v batch.View) (*kerr.Error, string) {
	var err error
	if d.Trusted {
		err = v.CheckCRC()
	} else {
		err = v.Validate(MaxInflatedBytes)
	}
	switch {
	case errors.Is(err, batch.ErrTooLarge):
		return kerr.MessageTooLarge, err.Error()
	case err != nil:
		return kerr.CorruptMessage, err.Error()
	case d.Rules.Compact && !(d.Trusted && d.Keyed):
		return checkKeys(v)
	}
	return nil, ""
}

// checkKeys refuses records without a key, which compaction could not place.
func checkKeys(v batch.View) (*kerr.Error, string) {
	var rd batch.Reader
	if err := rd.Reset(v, MaxInflatedBytes); err != nil {
		return kerr.CorruptMessage, err.Error()
	}
	for i := 0; rd.Next(); i++ {
		if rd.Key == nil {
			return kerr.InvalidRecord, fmt.Sprintf("Compacted topic cannot accept message without key: record %d of the batch.", i)
		}
	}
	if err := rd.Err(); err != nil {
		return kerr.CorruptMessage, err.Error()
	}
	return nil, ""
}

// A RecordError says why a batch was refused because of one of its records (KIP-467), counted from 0.
type RecordError struct {
	Index  int32
	Detail string
}

// maxRecordErrors bounds how many records of a batch are named. Kafka names all of them.
const maxRecordErrors = 100

// Blame names the records for which Batch refused b, if it was for some: those without a key in a compacted topic, or those out of
// time.
func (d Door) Blame(b []byte, why *kerr.Error) (all []RecordError) {
	if why != kerr.InvalidRecord && why != kerr.InvalidTimestamp {
		return nil
	}
	v, _, err := batch.Next(b)
	var rd batch.Reader
	if err != nil || v.Control() || rd.Reset(v, MaxInflatedBytes) != nil {
		return nil
	}
	for i := int32(0); rd.Next() && len(all) < maxRecordErrors; i++ {
		switch age := int64(d.Now) - int64(rd.Timestamp); {
		case why == kerr.InvalidRecord && d.Rules.Compact && rd.Key == nil:
			all = append(all, RecordError{i, fmt.Sprintf("Compacted topic cannot accept message without key in topic partition %v.", d.Partition)})
		case why == kerr.InvalidTimestamp && rd.Timestamp != record.NoTimestamp && (-age > d.Rules.After || age > d.Rules.Before):
			all = append(all, RecordError{i, fmt.Sprintf("Timestamp %d is out of range.", rd.Timestamp)})
		}
	}
	return all
}

// times bounds the producer's timestamps. Only a topic that bounds the past costs a walk over the records.
func (d Door) times(v batch.View) (*kerr.Error, string) {
	if d.Rules.AppendTime {
		return nil, ""
	}
	if last := int64(v.MaxTimestamp()); last-int64(d.Now) > d.Rules.After {
		return kerr.InvalidTimestamp, fmt.Sprintf("Timestamp %d lies more than %d ms ahead of the broker's clock (%d).", last, d.Rules.After, d.Now)
	}
	if d.Rules.Before == math.MaxInt64 {
		return nil, ""
	}
	low := v.BaseTimestamp()
	if !d.Trusted {
		var rd batch.Reader
		if err := rd.Reset(v, MaxInflatedBytes); err != nil {
			return kerr.CorruptMessage, err.Error()
		}
		for rd.Next() {
			if rd.Timestamp != record.NoTimestamp {
				low = min(low, rd.Timestamp)
			}
		}
	}
	if low != record.NoTimestamp && int64(low) < int64(d.Now)-d.Rules.Before {
		return kerr.InvalidTimestamp, fmt.Sprintf("Timestamp %d lies more than %d ms behind the broker's clock (%d).", low, d.Rules.Before, d.Now)
	}
	return nil, ""
}
