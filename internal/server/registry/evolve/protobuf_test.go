package evolve

import (
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/format/protorow"
)

// names are the names of differences with their places.
func names(found []Difference) []string {
	out := []string{}
	for _, d := range found {
		out = append(out, d.Name+" "+d.Place)
	}
	slices.Sort(out)
	return out
}

func check(t *testing.T, what string, found []Difference, want string) {
	t.Helper()
	wanted := []string{}
	if want != "" {
		wanted = strings.Split(want, ", ")
	}
	slices.Sort(wanted)
	if got := names(found); !slices.Equal(got, wanted) {
		t.Errorf("%s: %q, want %q", what, got, wanted)
	}
	for _, d := range found {
		if d.Text == "" || !strings.HasPrefix(d.Place, "#") {
			t.Errorf("%s: %v has no text or no place", what, d)
		}
	}
}

func TestProtobuf(t *testing.T) {
	const syntax3, syntax2 = `syntax = "proto3"; package p; `, `syntax = "proto2"; package p; `
	for _, c := range []struct{ what, syntax, older, newer, want string }{
		{"a field comes", syntax3, `message A { string a = 1; }`, `message A { string a = 1; int32 b = 2; }`, ""},
		{"a field goes", syntax3, `message A { string a = 1; int32 b = 2; }`, `message A { string a = 1; }`, ""},
		{"a field has another name", syntax3, `message A { string a = 1; }`, `message A { string z = 1; }`, ""},
		{"numbers that read each other", syntax3, `message A { int32 a = 1; }`, `message A { uint64 a = 1; }`, ""},
		{"a number that becomes a boolean", syntax3, `message A { int32 a = 1; }`, `message A { bool a = 1; }`, ""},
		{"a number that becomes an enum", syntax3, `message A { int32 a = 1; }`, `enum E { X = 0; } message A { E a = 1; }`, ""},
		{"a text that becomes bytes", syntax3, `message A { string a = 1; }`, `message A { bytes a = 1; }`, ""},
		{"numbers that do not", syntax3, `message A { int32 a = 1; }`, `message A { sint32 a = 1; }`, "FIELD_SCALAR_KIND_CHANGED #/A/1"},
		{"a number that becomes a text", syntax3, `message A { int32 a = 1; }`, `message A { string a = 1; }`, "FIELD_SCALAR_KIND_CHANGED #/A/1"},
		{"a float that becomes a double", syntax3, `message A { float a = 1; }`, `message A { double a = 1; }`, "FIELD_SCALAR_KIND_CHANGED #/A/1"},
		{"a scalar that becomes a message", syntax3, `message A { int32 a = 1; }`, `message B {} message A { B a = 1; }`, "FIELD_KIND_CHANGED #/A/1"},
		{"a message that becomes a map", syntax3, `message B {} message A { B a = 1; }`, `message B {} message A { map<string, B> a = 1; }`, "FIELD_KIND_CHANGED #/A/1"},
		{"a message that becomes another", syntax3, `message B {} message C {} message A { B a = 1; }`, `message B {} message C {} message A { C a = 1; }`, "FIELD_NAMED_TYPE_CHANGED #/A/1"},
		{"values of a map", syntax3, `message A { map<string, int32> a = 1; }`, `message A { map<string, string> a = 1; }`, "FIELD_SCALAR_KIND_CHANGED #/A/1"},
		{"values of a map that read each other", syntax3, `message A { map<string, int32> a = 1; }`, `message A { map<string, int64> a = 1; }`, ""},
		{"a number that is repeated", syntax3, `message A { int32 a = 1; }`, `message A { repeated int32 a = 1; }`, "FIELD_NUMERIC_LABEL_CHANGED #/A/1"},
		{"a text that is repeated", syntax3, `message A { string a = 1; }`, `message A { repeated string a = 1; }`, ""},
		{"a message comes", syntax3, `message A {}`, `message A {} message B {}`, ""},
		{"a message goes", syntax3, `message A {} message B {}`, `message A {}`, "MESSAGE_REMOVED #/B"},
		{"an inner message goes", syntax3, `message A { message B {} }`, `message A {}`, "MESSAGE_REMOVED #/A/B"},
		{"an inner message changes", syntax3, `message A { message B { int32 b = 1; } B a = 1; }`, `message A { message B { string b = 1; } B a = 1; }`, "FIELD_SCALAR_KIND_CHANGED #/A/1/1"},
		{"messages in another order", syntax3, `message A {} message B {}`, `message B {} message A {}`, ""},
		{"a message within itself", syntax3, `message A { A a = 1; int32 b = 2; }`, `message A { A a = 1; string b = 2; }`, "FIELD_SCALAR_KIND_CHANGED #/A/2"},
		{"the values of an enum", syntax3, `enum E { X = 0; Y = 1; } message A { E a = 1; }`, `enum E { X = 0; Z = 2; } message A { E a = 1; }`, ""},
		{"an enum goes", syntax3, `enum E { X = 0; } message A {}`, `message A {}`, ""},
		{"a oneof comes with one field of old", syntax3, `message A { int32 a = 1; }`, `message A { oneof o { int32 a = 1; int32 b = 2; } }`, ""},
		{"a oneof comes with two", syntax3, `message A { int32 a = 1; int32 b = 2; }`, `message A { oneof o { int32 a = 1; int32 b = 2; } }`, "MULTIPLE_FIELDS_MOVED_TO_ONEOF #/A/o"},
		{"a field joins a oneof", syntax3, `message A { oneof o { int32 a = 1; } int32 b = 2; }`, `message A { oneof o { int32 a = 1; int32 b = 2; } }`, "FIELD_MOVED_TO_EXISTING_ONEOF #/A/o"},
		{"a new field in a oneof", syntax3, `message A { oneof o { int32 a = 1; } }`, `message A { oneof o { int32 a = 1; int32 b = 2; } }`, ""},
		{"a field leaves a oneof", syntax3, `message A { oneof o { int32 a = 1; int32 b = 2; } }`, `message A { oneof o { int32 a = 1; } }`, "ONEOF_FIELD_REMOVED #/A/o/2"},
		{"a oneof goes", syntax3, `message A { oneof o { int32 a = 1; } }`, `message A { int32 a = 1; }`, ""},
		{"a field becomes optional", syntax3, `message A { int32 a = 1; int32 b = 2; }`, `message A { optional int32 a = 1; optional int32 b = 2; }`, ""},
		{"a required field comes", syntax2, `message A {}`, `message A { required int32 a = 1; }`, "REQUIRED_FIELD_ADDED #/A/1"},
		{"a required field goes", syntax2, `message A { required int32 a = 1; }`, `message A {}`, "REQUIRED_FIELD_REMOVED #/A/1"},
		{"an optional field of proto2", syntax2, `message A {}`, `message A { optional int32 a = 1; }`, ""},
	} {
		older, err := protorow.Parse(c.syntax+c.older, nil)
		if err != nil {
			t.Fatal(c.what, err)
		}
		newer, err := protorow.Parse(c.syntax+c.newer, nil)
		if err != nil {
			t.Fatal(c.what, err)
		}
		check(t, c.what, Protobuf(older.Descriptor(), newer.Descriptor()), c.want)
	}
}

func TestAPackageMayNotChange(t *testing.T) {
	older, _ := protorow.Parse(`syntax = "proto3"; package p; message A { A a = 1; }`, nil)
	newer, _ := protorow.Parse(`syntax = "proto3"; package q; message A { A a = 1; }`, nil)
	check(t, "another package", Protobuf(older.Descriptor(), newer.Descriptor()), "PACKAGE_CHANGED #")
}
