package kafka

import (
	"math/rand/v2"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A filler gives request structures random contents, as clients could send them.
type filler struct {
	rand   *rand.Rand
	length func() int // of strings, blobs and arrays
	tags   bool
}

func newFiller(seed uint64) *filler {
	r := rand.New(rand.NewPCG(seed, 1))
	return &filler{rand: r, length: func() int { return r.IntN(4) }, tags: true}
}

// request returns a filled request.
func (f *filler) request(key, version int16) kmsg.Request {
	req := kmsg.RequestForKey(key)
	f.fill(reflect.ValueOf(req).Elem())
	req.SetVersion(version)
	return req
}

func (f *filler) fill(v reflect.Value) {
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
		n := f.length()
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
		b := make([]byte, f.length())
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

func (f *filler) fillTags(t *kmsg.Tags) {
	if !f.tags || f.rand.IntN(4) > 0 {
		return
	}
	for range f.rand.IntN(3) {
		t.Set(100+uint32(f.rand.IntN(300)), make([]byte, f.length()))
	}
}
