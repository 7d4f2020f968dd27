package store

import "github.com/mainstemio/mainstem/record"

// Retention is judged by the highest time of any row put so far, which the table keeps as its first mark: a row whose time is at or
// before that by Options.Retention is gone for readers and views, whether or not it still takes memory. With KeepBytes it stays for them
// until the table takes more bytes than that.

// Saw tells the table that a row of time ts was put, or deleted. The table must have a Retention.
func (t *Table[K, V]) Saw(ts record.Timestamp) {
	if int64(ts) > t.marks.now[0] {
		t.marks.now[0] = int64(ts)
	}
}

// Since returns the first time whose rows are not gone: all are there in a table without a Retention.
func (t *Table[K, V]) Since() record.Timestamp {
	if t.o.Retention == 0 || t.o.KeepBytes > 0 {
		return 0
	}
	return t.over()
}

// over returns the first time that the retention has not passed by.
func (t *Table[K, V]) over() record.Timestamp {
	return record.Timestamp(t.marks.now[0]) - t.o.Retention + 1
}

// ExpireGone frees the memory of rows that are gone, as ExpireBefore does, and like it cannot be undone.
func (t *Table[K, V]) ExpireGone() {
	if t.o.Retention > 0 && (t.o.KeepBytes == 0 || t.Bytes() > t.o.KeepBytes) {
		t.ExpireBefore(t.over())
	}
}

// goneLocked is gone after what is committed.
func (t *Table[K, V]) goneLocked(key []byte) bool {
	return t.o.Retention > 0 && t.gone(key, t.marks.committed[0])
}

// gone tells whether views see the row of key no more, after highest was put.
func (t *Table[K, V]) gone(key []byte, highest int64) bool {
	return t.o.Retention > 0 && t.o.KeepBytes == 0 && t.o.Time(key) <= record.Timestamp(highest)-t.o.Retention
}
