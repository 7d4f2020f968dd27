package streamtest

import (
	"slices"

	"github.com/mainstemio/mainstem/record"
)

// A topic keeps its records in order of arrival, and by partition.
type topic struct {
	records    []record.Record
	partitions map[int32][]record.Record
}

func (d *Driver) topic(name string) *topic {
	t, exists := d.topics[name]
	if !exists {
		t = &topic{partitions: map[int32][]record.Record{}}
		d.topics[name] = t
	}
	return t
}

func (t *topic) partition(p int32) []record.Record { return t.partitions[p] }

func (t *topic) append(r record.Record) {
	r.Offset = record.Offset(len(t.partitions[r.Partition]))
	t.records = append(t.records, r)
	t.partitions[r.Partition] = append(t.partitions[r.Partition], r)
}

// cut leaves so many records of each partition.
func (t *topic) cut(left map[int32]int) {
	for p, records := range t.partitions {
		t.partitions[p] = records[:left[p]]
	}
	t.records = slices.DeleteFunc(t.records, func(r record.Record) bool { return int(r.Offset) >= left[r.Partition] })
}

// clone copies b and keeps null apart from empty.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}
