package row

import "math"

// Short returns the number without its point if that fits into 64 bits: 1.50 is 150 with scale 2.
func (d Decimal) Short() (unscaled int64, scale int, ok bool) {
	if d.long != "" || d.coef > math.MaxInt64 {
		return 0, 0, false
	}
	if d.neg {
		return -int64(d.coef), int(d.scale), true
	}
	return int64(d.coef), int(d.scale), true
}
