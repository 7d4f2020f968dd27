package jsontext

import "encoding/binary"

// A Lead is what stands in front of a value in an object, ,"name": as it is most often written.
type Lead struct {
	text  string
	short [leadRoom]byte // text, if it is that short
}

// leadRoom is the length of most leads, or more.
const leadRoom = 24

// NewLead returns the lead of a name.
func NewLead(name string) Lead {
	l := Lead{text: "," + string(AppendString(nil, name)) + ":"}
	copy(l.short[:], l.text)
	return l
}

// Len is the lead's length in bytes.
func (l *Lead) Len() int { return len(l.text) }

// Append appends the lead: where there is room all at once, so that it may use more of dst's room than the lead needs.
func (l *Lead) Append(dst []byte) []byte {
	n := len(dst)
	if len(l.text) > leadRoom || cap(dst)-n < leadRoom {
		return append(dst, l.text...)
	}
	*(*[leadRoom]byte)(dst[n : n+leadRoom]) = l.short
	return dst[:n+len(l.text)]
}

// Begins tells whether b begins with the lead. Most are compared as a first and a last word, which may overlap.
func (l *Lead) Begins(b []byte) bool {
	n := len(l.text)
	if len(b) < n {
		return false
	}
	if n < 8 || n > 16 {
		return string(b[:n]) == l.text
	}
	return binary.LittleEndian.Uint64(b) == binary.LittleEndian.Uint64(l.short[:]) &&
		binary.LittleEndian.Uint64(b[n-8:]) == binary.LittleEndian.Uint64(l.short[n-8:])
}
