package aggregate

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/bits"
	"slices"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// COUNT_DISTINCT is exact up to sparseLimit values, whose hashes are its state then: 8 bytes each, in order. Beyond it is a HyperLogLog
// (Flajolet and others, 2007) of 4,096 registers, a byte each: a standard error of 1.6 %.
const (
	registerBits = 12
	registers    = 1 << registerBits
	sparseLimit  = registers/8 - 1 // so that lengths tell the forms apart
)

func countDistinct() function.Aggregate {
	return function.Aggregate{Doc: doc("COUNT_DISTINCT", "The number of different values that are not null, beyond a few hundred within some percent."), Overloads: []function.AggregateOverload{
		fixed("(T) BIGINT", function.Accumulator{
			State: row.BytesType, Initial: row.NewBytes(""),
			Add: func(state row.Value, args []row.Value) (row.Value, error) {
				if args[0].IsNull() {
					return state, nil
				}
				return row.NewBytes(insertHash(state.Text(), hash(args[0]))), nil
			},
			Merge:  func(a, b row.Value) (row.Value, error) { return row.NewBytes(mergeSketches(a.Text(), b.Text())), nil },
			Result: func(state row.Value) (row.Value, error) { return row.NewBigint(estimate(state.Text())), nil },
		}),
	}}
}

func hash(v row.Value) uint64 {
	f := fnv.New64a()
	f.Write([]byte(row.NewRow(v)))
	h := f.Sum64()
	h ^= h >> 33 // the finish of MurmurHash3 spreads FNV's weak high bits
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func hashes(s string) []uint64 {
	out := make([]uint64, 0, len(s)/8+1)
	for i := 0; i < len(s); i += 8 {
		out = append(out, binary.LittleEndian.Uint64([]byte(s[i:i+8])))
	}
	return out
}

func insertHash(s string, h uint64) string {
	if len(s) == registers {
		b := []byte(s)
		if !raise(b, h) {
			return s
		}
		return string(b)
	}
	list := hashes(s)
	at, found := slices.BinarySearch(list, h)
	if found {
		return s
	}
	if list = slices.Insert(list, at, h); len(list) > sparseLimit {
		return string(dense(list))
	}
	out := make([]byte, 0, 8*len(list))
	for _, x := range list {
		out = binary.LittleEndian.AppendUint64(out, x)
	}
	return string(out)
}

func dense(list []uint64) []byte {
	b := make([]byte, registers)
	for _, h := range list {
		raise(b, h)
	}
	return b
}

// raise notes a hash and tells whether that changed its register.
func raise(b []byte, h uint64) bool {
	i := h >> (64 - registerBits)
	rank := byte(bits.LeadingZeros64(h<<registerBits|1<<(registerBits-1)) + 1)
	if b[i] >= rank {
		return false
	}
	b[i] = rank
	return true
}

func mergeSketches(a, b string) string {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(b) < registers {
		for _, h := range hashes(b) {
			a = insertHash(a, h)
		}
		return a
	}
	out := []byte(a)
	for i := range out {
		out[i] = max(out[i], b[i])
	}
	return string(out)
}

func estimate(s string) int64 {
	if len(s) < registers {
		return int64(len(s) / 8)
	}
	sum, zeros := 0.0, 0
	for i := range len(s) {
		sum += math.Ldexp(1, -int(s[i]))
		if s[i] == 0 {
			zeros++
		}
	}
	const m = float64(registers)
	e := 0.7213 / (1 + 1.079/m) * m * m / sum
	if e <= 2.5*m && zeros > 0 {
		e = m * math.Log(m/float64(zeros))
	}
	return int64(math.Round(e))
}
