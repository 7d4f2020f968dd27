package text

import (
	"crypto/md5" //nolint:gosec // the function's name says what it is
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// encodings are the functions between texts, bytes and numbers.
func encodings() []function.Scalar {
	return []function.Scalar{
		{Doc: doc("md5", "The MD5 digest of a text's UTF-8, in hexadecimal."), Overloads: []function.Overload{{
			Signature: "(STRING) STRING", Eval: func(args []row.Value) (row.Value, error) {
				sum := md5.Sum([]byte(args[0].Text())) //nolint:gosec // as above
				return row.NewString(hex.EncodeToString(sum[:])), nil
			},
		}}},
		{Doc: doc("encode", "A text from one encoding (hex, utf8, ascii, base64) in another."), Overloads: []function.Overload{{
			Signature: "(STRING, STRING, STRING) STRING", Eval: func(args []row.Value) (row.Value, error) {
				if strings.EqualFold(args[1].Text(), args[2].Text()) {
					return row.Null, errSameEncoding
				}
				b, err := decode(args[0].Text(), args[1].Text())
				if err != nil {
					return row.Null, err
				}
				s, err := encode(b, args[2].Text())
				return row.NewString(s), err
			},
		}}},
		{Doc: doc("to_bytes", "The bytes that a text stands for in an encoding (hex, utf8, ascii, base64)."), Overloads: []function.Overload{{
			Signature: "(STRING, STRING) BYTES", Eval: func(args []row.Value) (row.Value, error) {
				b, err := decode(args[0].Text(), args[1].Text())
				return row.NewBytes(b), err
			},
		}}},
		{Doc: doc("from_bytes", "Bytes as text in an encoding (hex, utf8, ascii, base64)."), Overloads: []function.Overload{{
			Signature: "(BYTES, STRING) STRING", Eval: func(args []row.Value) (row.Value, error) {
				s, err := encode(args[0].Text(), args[1].Text())
				if strings.EqualFold(args[1].Text(), "hex") {
					s = strings.ToUpper(s) // as Guava writes it, which ksqlDB uses here and not in ENCODE
				}
				return row.NewString(s), err
			},
		}}},
		number("int_from_bytes", "The INTEGER in 4 bytes, BIG_ENDIAN or LITTLE_ENDIAN.", "INT", 4, func(n uint64) row.Value { return row.NewInt(int32(n)) }),
		number("bigint_from_bytes", "The BIGINT in 8 bytes, BIG_ENDIAN or LITTLE_ENDIAN.", "BIGINT", 8, func(n uint64) row.Value { return row.NewBigint(int64(n)) }),
		number("double_from_bytes", "The DOUBLE in 8 bytes, BIG_ENDIAN or LITTLE_ENDIAN.", "DOUBLE", 8, func(n uint64) row.Value { return row.NewDouble(math.Float64frombits(n)) }),
	}
}

var (
	errEncoding     = errors.New("the encodings are hex, utf8, ascii and base64")
	errSameEncoding = errors.New("both encodings are the same")
)

// decode gives the bytes that a text stands for.
func decode(s, encoding string) (string, error) {
	switch strings.ToLower(encoding) {
	case "utf8":
		return s, nil
	case "ascii":
		return mapASCII(s), nil
	case "base64":
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			b, err = base64.RawStdEncoding.DecodeString(s)
		}
		if err != nil {
			return "", fmt.Errorf("decode base64: %w", err)
		}
		return string(b), nil
	case "hex":
		b, err := hex.DecodeString(hexDigits(s))
		if err != nil {
			return "", fmt.Errorf("decode hex: %w", err)
		}
		return string(b), nil
	}
	return "", fmt.Errorf("unknown encoding %q: %w", encoding, errEncoding)
}

// hexDigits takes the digits out of 0x12 and X'12'. Behind 0x the first of an odd number of digits stands for itself.
func hexDigits(s string) string {
	switch {
	case strings.HasPrefix(s, "0x") && len(s)%2 == 1:
		return "0" + s[2:]
	case strings.HasPrefix(s, "0x"):
		return s[2:]
	case len(s) > 2 && (s[0] == 'X' || s[0] == 'x') && s[1] == '\'' && s[len(s)-1] == '\'':
		return s[2 : len(s)-1]
	}
	return s
}

// mapASCII puts a question mark in the place of each UTF-16 unit beyond ASCII.
func mapASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, s)
}

// encode writes bytes as text.
func encode(b, encoding string) (string, error) {
	switch strings.ToLower(encoding) {
	case "utf8":
		return strings.ToValidUTF8(b, "\uFFFD"), nil
	case "ascii":
		out := []rune(nil)
		for i := range len(b) {
			if b[i] >= utf8.RuneSelf {
				out = append(out, '\uFFFD')
				continue
			}
			out = append(out, rune(b[i]))
		}
		return string(out), nil
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(b)), nil
	case "hex":
		return hex.EncodeToString([]byte(b)), nil
	}
	return "", fmt.Errorf("unknown encoding %q: %w", encoding, errEncoding)
}

// number reads a number of so many bytes.
func number(name, text, typ string, size int, value func(uint64) row.Value) function.Scalar {
	eval := func(args []row.Value) (row.Value, error) {
		b := []byte(args[0].Text())
		if len(b) != size {
			return row.Null, fmt.Errorf("%d bytes are needed, there are %d", size, len(b))
		}
		order := binary.ByteOrder(binary.BigEndian)
		if len(args) > 1 {
			switch strings.ToUpper(args[1].Text()) {
			case "BIG_ENDIAN":
			case "LITTLE_ENDIAN":
				order = binary.LittleEndian
			default:
				return row.Null, fmt.Errorf("byte order %q is neither BIG_ENDIAN nor LITTLE_ENDIAN", args[1].Text())
			}
		}
		if size == 4 {
			return value(uint64(order.Uint32(b))), nil
		}
		return value(order.Uint64(b)), nil
	}
	return function.Scalar{Doc: function.Doc{Name: name, Category: "CONVERSIONS", Text: text}, Overloads: []function.Overload{
		{Signature: "(BYTES) " + typ, Eval: eval}, {Signature: "(BYTES, STRING) " + typ, Eval: eval},
	}}
}

func chr() function.Scalar {
	char := func(code int64) row.Value {
		if code < 0 || code > utf8.MaxRune || !utf8.ValidRune(rune(code)) {
			return row.Null
		}
		return row.NewString(string(rune(code)))
	}
	return function.Scalar{Doc: doc("chr", "The character with a Unicode code point, given as a number or as text such as '\\u004b', behind which more text may follow."), Overloads: []function.Overload{
		{Signature: "(INT) STRING", Eval: func(args []row.Value) (row.Value, error) { return char(args[0].Int64()), nil }},
		{Signature: "(STRING) STRING", Eval: func(args []row.Value) (row.Value, error) {
			s := args[0].Text()
			if java.Length(s) < 6 || !strings.HasPrefix(s, `\u`) {
				return row.Null, nil
			}
			return unescaped(s)
		}},
	}}
}

// unescaped is a text with what \u and four digits stand for.
func unescaped(s string) (row.Value, error) {
	var units []uint16
	for s != "" {
		before, rest, found := strings.Cut(s, `\u`)
		units = append(units, utf16.Encode([]rune(before))...)
		if !found {
			break
		}
		n, err := strconv.ParseUint(rest[:min(4, len(rest))], 16, 16)
		if err != nil || len(rest) < 4 {
			return row.Null, errUnit
		}
		units, s = append(units, uint16(n)), rest[4:]
	}
	return row.NewString(string(utf16.Decode(units))), nil
}

var errUnit = errors.New(`four hexadecimal digits must follow \u`)

// unique makes UUID. random gives 64 random bits.
func unique(random func() uint64) function.Scalar {
	return function.Scalar{Doc: doc("uuid", "A random UUID, or the one that 16 bytes are."), Overloads: []function.Overload{
		{Signature: "() STRING", Varies: true, Eval: func([]row.Value) (row.Value, error) {
			var b [16]byte
			binary.BigEndian.PutUint64(b[:8], random())
			binary.BigEndian.PutUint64(b[8:], random())
			b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
			return row.NewString(uuidText(b[:])), nil
		}},
		{Signature: "(BYTES) STRING", Eval: func(args []row.Value) (row.Value, error) {
			if len(args[0].Text()) != 16 {
				return row.Null, nil
			}
			return row.NewString(uuidText([]byte(args[0].Text()))), nil
		}},
	}}
}

func uuidText(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
