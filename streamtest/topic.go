package streamtest

import "github.com/mainstemio/mainstem/record"

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

// clone copies b and keeps null apart from empty.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}
