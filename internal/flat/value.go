package flat

import (
	"encoding/binary"
	"reflect"
	"time"
	"unsafe"
)

// append appends the value at v.
func (p plan) append(dst []byte, v unsafe.Pointer) []byte {
	for i := range p {
		s := &p[i]
		at := unsafe.Add(v, s.offset)
		switch s.kind {
		case kindRaw:
			dst = append(dst, memory(at, s.size)...)
		case kindString:
			text := *(*string)(at)
			dst = append(binary.AppendUvarint(dst, uint64(len(text))), text...)
		case kindBytes, kindRawSlice, kindSlice:
			dst = s.appendSlice(dst, at)
		case kindArray:
			dst = s.appendElements(dst, at, s.count)
		case kindPointer:
			to := *(*unsafe.Pointer)(at)
			if to == nil {
				dst = append(dst, 0)
				continue
			}
			dst = s.elem.append(append(dst, 1), to)
		case kindTime:
			dst = appendTime(dst, *(*time.Time)(at))
		}
	}
	return dst
}

// A slice of any type begins like this one: address, length, capacity.
func (s *step) appendSlice(dst []byte, at unsafe.Pointer) []byte {
	head := *(*[]struct{})(at)
	data := unsafe.Pointer(unsafe.SliceData(head))
	if data == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(head))+1)
	if s.kind != kindSlice {
		return append(dst, memory(data, uintptr(len(head))*s.size)...)
	}
	return s.appendElements(dst, data, len(head))
}

func (s *step) appendElements(dst []byte, at unsafe.Pointer, n int) []byte {
	for i := range n {
		dst = s.elem.append(dst, unsafe.Add(at, uintptr(i)*s.size))
	}
	return dst
}

// read sets the zero value at v and returns what is left of b.
func (p plan) read(b []byte, v unsafe.Pointer) []byte {
	for i := range p {
		s := &p[i]
		at := unsafe.Add(v, s.offset)
		switch s.kind {
		case kindRaw:
			copy(memory(at, s.size), b)
			b = b[s.size:]
		case kindString:
			n, rest := length(b)
			if n > 0 {
				*(*string)(at) = unsafe.String(&rest[0], n)
			}
			b = rest[n:]
		case kindBytes, kindRawSlice, kindSlice:
			b = s.readSlice(b, at)
		case kindArray:
			b = s.readElements(b, at, s.count)
		case kindPointer:
			set := b[0] == 1
			b = b[1:]
			if set {
				to := reflect.New(s.typ).UnsafePointer()
				b = s.elem.read(b, to)
				*(*unsafe.Pointer)(at) = to
			}
		case kindTime:
			*(*time.Time)(at), b = readTime(b)
		}
	}
	return b
}

func (s *step) readSlice(b []byte, at unsafe.Pointer) []byte {
	n, b := length(b)
	if n == 0 {
		return b // nil
	}
	n--
	if s.kind == kindBytes {
		*(*[]byte)(at) = b[:n:n]
		return b[n:]
	}
	slice := reflect.NewAt(s.typ, at).Elem()
	if n == 0 {
		slice.Set(reflect.MakeSlice(s.typ, 0, 0))
		return b
	}
	slice.Grow(n)
	slice.SetLen(n)
	data := slice.UnsafePointer()
	if s.kind == kindRawSlice {
		size := uintptr(n) * s.size
		copy(memory(data, size), b)
		return b[size:]
	}
	return s.readElements(b, data, n)
}

func (s *step) readElements(b []byte, at unsafe.Pointer, n int) []byte {
	for i := range n {
		b = s.elem.read(b, unsafe.Add(at, uintptr(i)*s.size))
	}
	return b
}

func length(b []byte) (int, []byte) {
	if b[0] < 0x80 {
		return int(b[0]), b[1:]
	}
	n, k := binary.Uvarint(b)
	return int(n), b[k:]
}

// Zones of a time.
const (
	zoneUTC = iota
	zoneLocal
	zoneFixed // seconds east of UTC follow
)

// appendTime keeps the instant and the zone's offset, not a zone's name nor a monotonic clock's reading.
func appendTime(dst []byte, t time.Time) []byte {
	switch t.Location() {
	case time.UTC:
		dst = append(dst, zoneUTC)
	case time.Local:
		dst = append(dst, zoneLocal)
	default:
		_, east := t.Zone()
		dst = binary.AppendVarint(append(dst, zoneFixed), int64(east))
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.Unix()))
	return binary.LittleEndian.AppendUint32(dst, uint32(t.Nanosecond()))
}

func readTime(b []byte) (time.Time, []byte) {
	zone := b[0]
	b = b[1:]
	east, k := int64(0), 0
	if zone == zoneFixed {
		east, k = binary.Varint(b)
	}
	b = b[k:]
	t := time.Unix(int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint32(b[8:])))
	switch zone {
	case zoneUTC:
		t = t.UTC()
	case zoneFixed:
		t = t.In(time.FixedZone("", int(east)))
	}
	return t, b[12:]
}
