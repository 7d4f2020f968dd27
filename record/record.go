// Package record holds the words of a log: a record, its position and its time.
//
// Every other package may use it; it knows nobody. Its types are plain values without locks or formats.
package record

import "strconv"

// An Offset is the position of a record in a partition: the first record of a partition has offset 0.
type Offset int64

// A Timestamp is a record's time in milliseconds since 1970-01-01 UTC, as Kafka writes it; -1 means none.
type Timestamp int64

// NoTimestamp marks a record without a time.
const NoTimestamp Timestamp = -1

// A TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns topic/partition, the form used in errors and logs.
func (tp TopicPartition) String() string {
	return tp.Topic + "/" + strconv.Itoa(int(tp.Partition))
}

// A Header is a name with bytes that travels with a record. A nil Value is Kafka's null.
type Header struct {
	Key   string
	Value []byte
}

// A Record is one fact in a partition. A nil Key or Value is Kafka's null; an empty slice is an empty value.
type Record struct {
	TopicPartition
	Offset    Offset
	Timestamp Timestamp
	Key       []byte
	Value     []byte
	Headers   []Header
}
