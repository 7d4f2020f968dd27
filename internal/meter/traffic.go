package meter

import "sync/atomic"

// Traffic counts what went into and out of one partition. Its fields are of one partition alone, so that counting on the hot path
// meets nobody.
type Traffic struct {
	Records, Bytes atomic.Int64 // appended
	Out            atomic.Int64 // bytes of batches that went to clients
}

// Sent notes that n bytes of batches went to a client. A nil Traffic counts nothing.
func (t *Traffic) Sent(n int) {
	if t != nil {
		t.Out.Add(int64(n))
	}
}
