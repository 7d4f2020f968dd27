// Package guardtest fills requests with random contents and measures what decoding them allocates (tests only).
//
// The tests of the server and its guard call it; it calls kmsg. A Filler belongs to one goroutine. Not here: what a request means.
package guardtest

import (
	"reflect"
	"runtime"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Source is where randomness comes from: a rand.Rand with a seed.
type Source interface {
	IntN(n int) int
	Uint64() uint64
}

// A Filler gives request structures random contents, as clients could send them.
type Filler struct {
	rand Source
	// Length of the next string, blob or array; NewFiller makes them short.
	Length func() int
	// Tags lets it add unknown tags.
	Tags bool
}

// NewFiller returns a Filler that draws from r.
func NewFiller(r Source) *Filler {
	return &Filler{rand: r, Length: func() int { return r.IntN(4) }, Tags: true}
}

// IntN draws a number below n.
func (f *Filler) IntN(n int) int { return f.rand.IntN(n) }

// Request returns a filled request.
func (f *Filler) Request(key, version int16) kmsg.Request {
	req := kmsg.RequestForKey(key)
	f.fill(reflect.ValueOf(req).Elem())
	req.SetVersion(version)
	return req
}

func (f *Filler) fill(v reflect.Value) {
	if t, ok := v.Addr().Interface().(*kmsg.Tags); ok {
		f.fillTags(t)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Slice:
		n := f.Length()
		if n == 0 && f.rand.IntN(2) == 0 {
			return // nil
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Pointer:
		if f.rand.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.String:
		b := make([]byte, f.Length())
		for i := range b {
			b[i] = 'a' + byte(f.rand.IntN(26))
		}
		v.SetString(string(b))
	case reflect.Bool:
		v.SetBool(f.rand.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(uint64(f.rand.IntN(256)))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.rand.Uint64()) >> (64 - v.Type().Bits()))
		if f.rand.IntN(2) == 0 {
			v.SetInt(int64(f.rand.IntN(3)) - 1)
		}
	default:
		panic("fill " + v.Kind().String())
	}
}

func (f *Filler) fillTags(t *kmsg.Tags) {
	if !f.Tags || f.rand.IntN(4) > 0 {
		return
	}
	for range f.rand.IntN(3) {
		t.Set(100+uint32(f.rand.IntN(300)), make([]byte, f.Length()))
	}
}

// LeastAllocated is how many bytes f allocates, with what other goroutines do left out as far as possible.
func LeastAllocated(f func()) int64 {
	return min(Allocated(f), Allocated(f), Allocated(f))
}

// Allocated is how many bytes the process allocates while f runs.
func Allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}
