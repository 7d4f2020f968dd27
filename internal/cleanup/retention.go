package cleanup

import (
	"fmt"

	"github.com/mainstemio/mainstem/record"
)

// Limits are retention.ms and retention.bytes; negative ones do not bound.
type Limits struct {
	Millis int64
	Bytes  int64
}

// Retain returns the offset from which on segments stay: the first one's base when all do, the last one's end when none does, the
// active one included. By Kafka's rules: a segment goes when its highest timestamp is older than the limit, or when the log without
// it still has the limit's bytes; the oldest first, never one that reaches beyond the high watermark, and nothing behind one that
// stays. last tells the highest timestamp of the segment that begins at an offset.
func Retain(segments []Segment, l Limits, now record.Timestamp, high record.Offset, last func(record.Offset) (record.Timestamp, error)) (record.Offset, error) {
	gone := 0
	may := func(s Segment) bool { return s.End <= high && s.Size > 0 }
	for l.Millis >= 0 && gone < len(segments) && may(segments[gone]) {
		at, err := last(segments[gone].Base)
		if err != nil {
			return 0, fmt.Errorf("retention by time: %w", err)
		}
		if int64(now)-int64(at) <= l.Millis {
			break
		}
		gone++
	}
	size := int64(0)
	for _, s := range segments[gone:] {
		size += s.Size
	}
	for l.Bytes >= 0 && gone < len(segments) && may(segments[gone]) && size-segments[gone].Size >= l.Bytes {
		size -= segments[gone].Size
		gone++
	}
	if gone == 0 {
		return segments[0].Base, nil
	}
	return segments[gone-1].End, nil
}
