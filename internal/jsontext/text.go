package jsontext

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Eight bytes are looked at together: a byte is special if it ends plain ASCII text inside a JSON string.
const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// special returns a word in which the lowest set bit is the high bit of the first special byte: below 0x20, a quote, a
// backslash, or not ASCII. Higher bits may be wrong, since the subtractions borrow from a special byte upwards.
func special(w uint64) uint64 {
	quote := w ^ '"'*eachByte
	slash := w ^ '\\'*eachByte
	return (w | (w - 0x20*eachByte) | (quote - eachByte) | (slash - eachByte)) & highBits
}

func isSpecial(c byte) bool {
	return c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf
}

// PlainEnd returns the index of the first special byte at or behind i, or len(b).
func PlainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	if i >= len(b) {
		return i
	}
	if len(b) >= 8 { // once more the last eight bytes, without those in front of i
		m := special(binary.LittleEndian.Uint64(b[len(b)-8:])) >> (8 * (i + 8 - len(b)))
		if m == 0 {
			return len(b)
		}
		if at := i + bits.TrailingZeros64(m)/8; isSpecial(b[at]) {
			return at
		}
	}
	for i < len(b) && !isSpecial(b[i]) {
		i++
	}
	return i
}

// PlainStringEnd returns the index behind the string at i if it is nothing but plain ASCII characters, else 0.
func PlainStringEnd(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return 0
	}
	for i++; i+8 <= len(b); i += 8 {
		if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			i += bits.TrailingZeros64(m) / 8
			break
		}
	}
	for i < len(b) && !isSpecial(b[i]) {
		i++
	}
	if i < len(b) && b[i] == '"' {
		return i + 1
	}
	return 0
}

// ScanString checks the rest of a string literal from i on. It returns the index of the closing quote, or the index of the
// first wrong byte and a reason.
func ScanString(b []byte, i int) (end int, escaped, ascii bool, reason string) {
	ascii = true
	for {
		i = PlainEnd(b, i)
		switch {
		case i >= len(b):
			return i, escaped, ascii, ReasonEnd
		case b[i] == '"':
			return i, escaped, ascii, ""
		case b[i] == '\\':
			escaped = true
			n := escapeLen(b[i:])
			if n == 0 {
				return i, escaped, ascii, "bad escape in a string"
			}
			i += n
		case b[i] < 0x20:
			return i, escaped, ascii, "control character in a string"
		default:
			ascii = false
			for i < len(b) && b[i] >= utf8.RuneSelf {
				i++
			}
		}
	}
}

// escapeLen returns the length of the escape that b begins with, 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// Unescape appends what the inside of a checked string literal stands for. Half surrogates and bytes that are not UTF-8
// become U+FFFD. dst may be raw[:0] if raw is valid UTF-8: no escape is shorter than what it stands for.
func Unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if plain := PlainEnd(raw, i); plain > i {
			dst = append(dst, raw[i:plain]...)
			i = plain
			continue
		}
		switch c := raw[i]; {
		case c == '\\' && raw[i+1] == 'u':
			r, _ := hex4(raw[i:])
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(raw[i:])
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		case c == '\\':
			dst = append(dst, unescapeByte(raw[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst
}

func unescapeByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// HexDigits are those of \u escapes.
const HexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string.
func AppendString(dst []byte, s string) []byte {
	text := unsafe.Slice(unsafe.StringData(s), len(s))
	n := len(dst)
	if cap(dst)-n < len(text)+2 {
		dst = slices.Grow(dst, len(text)+2)
	}
	out := dst[n : n+len(text)+2]
	out[0] = '"'
	if !copyPlain(out[1:], text) {
		return appendEscaped(dst[:n], s)
	}
	out[len(out)-1] = '"'
	return dst[:n+len(out)]
}

// copyPlain copies text if no byte of it is special. It takes the first and the last words of a text, which may overlap: texts of nearly the
// same length go the same way, which a processor foresees better than how often a loop runs.
func copyPlain(to, text []byte) bool {
	n := len(text)
	to = to[:n]
	switch {
	case n >= 8:
		for i := 8; i < n-8; i += 8 {
			w := binary.LittleEndian.Uint64(text[i:])
			if special(w) != 0 {
				return false
			}
			binary.LittleEndian.PutUint64(to[i:], w)
		}
		first, last := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
		binary.LittleEndian.PutUint64(to, first)
		binary.LittleEndian.PutUint64(to[n-8:], last)
		return special(first)|special(last) == 0
	case n >= 4:
		first, last := binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[n-4:])
		binary.LittleEndian.PutUint32(to, first)
		binary.LittleEndian.PutUint32(to[n-4:], last)
		return special(uint64(first)|uint64(last)<<32) == 0
	case n > 0:
		first, middle, last := text[0], text[n/2], text[n-1]
		to[0], to[n/2], to[n-1] = first, middle, last
		return !isSpecial(first) && !isSpecial(middle) && !isSpecial(last)
	}
	return true
}

// appendEscaped is AppendString for any string.
func appendEscaped(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for start, i := 0, 0; ; {
		i = plainEndString(s, i)
		if i >= len(s) {
			dst = append(dst, s[start:]...)
			return append(dst, '"')
		}
		c := s[i]
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + n
		case r == '\u2028' || r == '\u2029': // line ends in JavaScript, escaped as encoding/json does
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', '2', '0', '2', HexDigits[r&0xf])
			start = i + n
		}
		i += n
	}
}

// appendEscape appends an ASCII character that may not stand as it is.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', HexDigits[c>>4], HexDigits[c&0xf])
}

// plainEndString is PlainEnd for strings.
func plainEndString(s string, i int) int {
	return PlainEnd(unsafe.Slice(unsafe.StringData(s), len(s)), i)
}
