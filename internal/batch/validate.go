package batch

import "fmt"

// Validate checks everything a broker must know before it stores the batch: CRC, record count against last offset delta,
// every record's framing (inflating at most maxInflated bytes), offset deltas 0..n-1. It returns ErrCorrupt or ErrTooLarge.
// Nothing is allocated per record. Compressed records are checked while they are inflated: memory stays at about a megabyte
// (Snappy: 22 times the batch; LZ4: one block of at most 4 MiB; zstd: the frame's window), whatever they inflate to.
func (v View) Validate(maxInflated int) error {
	if err := v.CheckCRC(); err != nil {
		return err
	}
	count := v.Count()
	if count <= 0 || v.lastOffsetDelta() != count-1 {
		return fmt.Errorf("batch at offset %d: %d records with last offset delta %d: %w", v.BaseOffset(), count, v.lastOffsetDelta(), ErrCorrupt)
	}
	if v.Codec() == None {
		return v.validateRecords(v.records())
	}
	return v.validateInflated(maxInflated)
}

func (v View) validateRecords(records []byte) error {
	var f frame
	for i := range v.Count() {
		rest, ok := f.parse(records)
		if !ok {
			return fmt.Errorf("batch at offset %d: record %d is malformed: %w", v.BaseOffset(), i, ErrCorrupt)
		}
		if f.offsetDelta != i {
			return fmt.Errorf("batch at offset %d: record %d has offset delta %d: %w", v.BaseOffset(), i, f.offsetDelta, ErrCorrupt)
		}
		records = rest
	}
	if len(records) > 0 {
		return fmt.Errorf("batch at offset %d: %d bytes behind its %d records: %w", v.BaseOffset(), len(records), v.Count(), ErrCorrupt)
	}
	return nil
}
