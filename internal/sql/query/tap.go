package query

import (
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/row"
)

// A Decoder computes the row of a record by itself: lower.Tap. ok is false if there is none, gone tells that the row of its key went away.
type Decoder interface {
	Row(c *client.Chunk, i int) (values row.Row, gone, ok bool)
}

// NewTap returns the computation of a query whose rows are those of its source's records, one by one. It keeps nothing but the records that
// were read last.
func NewTap(d Decoder) Computation { return &tap{of: d} }

type tap struct {
	of     Decoder
	chunks []client.Chunk
	at     int // in the first one
}

// Add implements Computation.
func (t *tap) Add(c client.Chunk) error {
	if len(c.Offsets) > 0 {
		t.chunks = append(t.chunks, c)
	}
	return nil
}

// batchRows bounds the rows that are handed out at once.
const batchRows = 1024

// Rows implements Computation.
func (t *tap) Rows() ([]Row, error) {
	var rows []Row
	for len(t.chunks) > 0 && len(rows) < batchRows {
		c := &t.chunks[0]
		for ; t.at < len(c.Offsets) && len(rows) < batchRows; t.at++ {
			if values, gone, ok := t.of.Row(c, t.at); ok {
				rows = append(rows, Row{Values: values, Tombstone: gone})
			}
		}
		if t.at == len(c.Offsets) {
			t.chunks, t.at = t.chunks[1:], 0
		}
	}
	if len(t.chunks) == 0 {
		t.chunks = nil
	}
	return rows, nil
}

// Close implements Computation.
func (t *tap) Close() {}
