package qtt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// compareProtobufRows compares an answer in Protobuf: the schema of its header as text, its rows as Protobuf's text format, its last
// message as JSON.
func compareProtobufRows(want []json.RawMessage, got []any, order bool) error {
	if len(want) != len(got) {
		return fmt.Errorf("want %d rows, got %d\nwant %s\n got %s", len(want), len(got), listOf(want), appendJSON(nil, got))
	}
	var wantRows, gotRows []string
	var wantRest, gotRest []string // schema and last message
	for _, raw := range want {
		v, err := parseJSON(raw)
		if err != nil {
			return err
		}
		o, ok := v.(*object)
		if !ok {
			return fmt.Errorf("%s is no row", raw)
		}
		if row, ok := o.values["row"].(string); ok {
			wantRows = append(wantRows, sortEntries(row))
		} else {
			wantRest = append(wantRest, restOfRow(o))
		}
	}
	var of protoreflect.MessageDescriptor
	for _, v := range got {
		o, ok := v.(*object)
		if !ok {
			return fmt.Errorf("%s is no row", appendJSON(nil, v))
		}
		if schema, ok := inner(o, "header", "protoSchema").(string); ok {
			file, err := compileProtobuf(Schema{Type: "PROTOBUF", Text: schema}, NewRegistry())
			if err != nil {
				return fmt.Errorf("schema of the header: %w", err)
			}
			of = file.Messages().Get(0)
		}
		if o.values["row"] == nil {
			gotRest = append(gotRest, restOfRow(o))
			continue
		}
		text, err := protobufRowText(o, of)
		if err != nil {
			return err
		}
		gotRows = append(gotRows, sortEntries(text))
	}
	if !order {
		slices.Sort(wantRows)
		slices.Sort(gotRows)
	}
	return errors.Join(sameTexts("header and message", wantRest, gotRest), sameTexts("rows", wantRows, gotRows))
}

// sortEntries puts the entries of a row's maps into one order: theirs is that of a hash table in Java.
func sortEntries(row string) string {
	fields := topFields.FindAllString(row, -1)
	slices.SortStableFunc(fields, func(a, b string) int {
		nameA, nameB := entryOf.FindString(a), entryOf.FindString(b)
		if nameA == "" || nameA != nameB {
			return 0
		}
		return strings.Compare(a, b)
	})
	return strings.Join(fields, "")
}

var (
	topFields = regexp.MustCompile(`(?m)^\S+ \{\n(?:  .*\n)*\}\n|^\S.*\n`)
	entryOf   = regexp.MustCompile(`^\S+ \{\n  key: `) // the field of a map
)

func sameTexts(what string, want, got []string) error {
	if !slices.Equal(want, got) {
		return fmt.Errorf("%s in Protobuf differ\nwant %q\n got %q", what, want, got)
	}
	return nil
}

// restOfRow returns what is compared of a row without data: its schema or its message.
func restOfRow(o *object) string {
	if schema, ok := inner(o, "header", "protoSchema").(string); ok {
		return schema
	}
	return canonical(o)
}

func inner(o *object, name, field string) any {
	if of, ok := o.values[name].(*object); ok {
		return of.values[field]
	}
	return nil
}

func protobufRowText(o *object, of protoreflect.MessageDescriptor) (string, error) {
	text, ok := inner(o, "row", "protobufBytes").(string)
	if !ok {
		return "", fmt.Errorf("a row without Protobuf: %s", appendJSON(nil, o))
	}
	if of == nil {
		return "", errors.New("a row before the header")
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("row: %w", err)
	}
	m := dynamicpb.NewMessage(of)
	if err := proto.Unmarshal(b, m); err != nil {
		return "", fmt.Errorf("row: %w", err)
	}
	return string(appendTextFormat(nil, m, "")), nil
}

// appendTextFormat writes a message as Protobuf's Java library does: a field a line, in the order of their numbers. prototext does not
// promise its spaces.
func appendTextFormat(dst []byte, m protoreflect.Message, indent string) []byte {
	var fields []protoreflect.FieldDescriptor
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fields = append(fields, f)
		return true
	})
	slices.SortFunc(fields, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number()) - int(b.Number()) })
	for _, f := range fields {
		v := m.Get(f)
		switch {
		case f.IsList():
			for i := range v.List().Len() {
				dst = appendTextField(dst, f, v.List().Get(i), indent)
			}
		case f.IsMap():
			v.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
				dst = append(dst, indent+string(f.Name())+" {\n"...)
				dst = appendTextField(dst, f.MapKey(), key.Value(), indent+"  ")
				dst = appendTextField(dst, f.MapValue(), value, indent+"  ")
				dst = append(dst, indent+"}\n"...)
				return true
			})
		default:
			dst = appendTextField(dst, f, v, indent)
		}
	}
	return dst
}

func appendTextField(dst []byte, f protoreflect.FieldDescriptor, v protoreflect.Value, indent string) []byte {
	dst = append(dst, indent+string(f.Name())...)
	if f.Kind() == protoreflect.MessageKind {
		dst = append(dst, " {\n"...)
		dst = appendTextFormat(dst, v.Message(), indent+"  ")
		return append(dst, indent+"}\n"...)
	}
	return append(dst, ": "+textScalar(f, v)+"\n"...)
}

func textScalar(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.StringKind:
		return `"` + escapeBytes([]byte(v.String())) + `"`
	case protoreflect.BytesKind:
		return `"` + escapeBytes(v.Bytes()) + `"`
	case protoreflect.DoubleKind:
		return javaDouble(v.Float())
	case protoreflect.EnumKind:
		return string(f.Enum().Values().ByNumber(v.Enum()).Name())
	}
	return fmt.Sprint(v.Interface())
}

func escapeBytes(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		switch {
		case c == '\n':
			s.WriteString(`\n`)
		case c == '"' || c == '\\' || c == '\'':
			s.WriteByte('\\')
			s.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&s, `\%03o`, c)
		default:
			s.WriteByte(c)
		}
	}
	return s.String()
}

// javaDouble writes a double as Java does: 1.0, 1.0E7.
func javaDouble(f float64) string {
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	e, err := strconv.Atoi(exponent)
	if err != nil {
		return mantissa // infinities and NaN have no exponent
	}
	return mantissa + "E" + strconv.Itoa(e)
}
