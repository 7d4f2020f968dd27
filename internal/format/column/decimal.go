package column

import (
	"math/big"

	"github.com/mainstemio/mainstem/row"
)

// maxUnscaledBytes bounds a decimal's bytes before they are turned into digits: more digits than a Decimal can have.
const maxUnscaledBytes = row.MaxDecimalDigits / 2

// Unscaled reads a decimal's digits from two's complement, the highest byte first. No bytes are zero.
func Unscaled(b string, scale int) (row.Decimal, error) {
	if scale < 0 || scale > row.MaxDecimalDigits || len(b) > maxUnscaledBytes {
		return row.Decimal{}, Errorf("a decimal with too many digits")
	}
	if len(b) <= 8 && scale <= 255 {
		n := int64(0)
		if b != "" && b[0] >= 0x80 {
			n = -1
		}
		for i := range len(b) {
			n = n<<8 | int64(b[i])
		}
		return row.NewDecimal(n, uint8(scale)), nil
	}
	n := new(big.Int).SetBytes([]byte(b))
	if b != "" && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	d, err := row.DecimalFromBig(n, scale)
	if err != nil {
		return d, Errorf("%s", err)
	}
	return d, nil
}

// AppendUnscaled appends a decimal's digits as two's complement, the highest byte first and as few as can be.
func AppendUnscaled(dst []byte, d row.Decimal) []byte {
	if n, _, ok := d.Short(); ok {
		size := 1
		for v := n; v > 127 || v < -128; v >>= 8 {
			size++
		}
		for i := size - 1; i >= 0; i-- {
			dst = append(dst, byte(n>>(8*i)))
		}
		return dst
	}
	n, _ := d.Big()
	size := n.BitLen()/8 + 1
	if n.Sign() < 0 {
		size = new(big.Int).Not(n).BitLen()/8 + 1
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return append(dst, n.FillBytes(make([]byte, size))...)
}
