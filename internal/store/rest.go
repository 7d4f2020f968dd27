package store

// Rest gives back the memory that only changes need: two epochs' columns and what encodes them. The owner calls it between two epochs.
func (t *Table[K, V]) Rest() {
	if t.inSeal || len(t.overlay.changes) > 0 {
		return
	}
	t.overlay, t.sealed = epoch[V]{encoded: []byte{}}, epoch[V]{encoded: []byte{}} // see NewTable
	t.scratch = []byte{}
}
