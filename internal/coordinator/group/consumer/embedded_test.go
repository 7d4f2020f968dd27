package consumer

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// What a consumer of version 3 writes: topics a and b, two partitions of a, generation 7, rack "r".
var versionThree = []byte{
	0, 3, 0, 0, 0, 2, 0, 1, 'a', 0, 1, 'b', 0xff, 0xff, 0xff, 0xff,
	0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 7, 0, 1, 'r',
}

func TestSubscriptionsOfEveryVersionAreRead(t *testing.T) {
	for version, end := range []int{16, 35, 39, 42} {
		b := slices.Clone(versionThree[:end])
		b[1] = byte(version)
		s, err := parseSubscription(b)
		if err != nil || !slices.Equal(s.topics, []string{"a", "b"}) {
			t.Fatalf("version %d: %+v %v", version, s, err)
		}
		if owned := s.owned["a"]; version >= 1 != slices.Equal(owned, []int32{0, 4}) {
			t.Errorf("version %d owns %v", version, owned)
		}
		if version >= 3 != (s.rack == "r") {
			t.Errorf("version %d has rack %q", version, s.rack)
		}
		if _, err := parseSubscription(b[:len(b)-1]); err == nil {
			t.Errorf("version %d is read although it is cut off", version)
		}
	}
}

func TestAssignmentsAreReadAsTheyWereWritten(t *testing.T) {
	want := map[string][]int32{"a": {0, 4}, "b": {1}}
	got, custom, err := parseAssignment(appendAssignment(1, want))
	if err != nil || custom || !maps.EqualFunc(got, want, slices.Equal[[]int32]) {
		t.Fatalf("%v %v %v", got, custom, err)
	}
	userData := append(appendAssignment(0, nil)[:6], 0, 0, 0, 1, 'x')
	if _, custom, err = parseAssignment(userData); err != nil || !custom {
		t.Errorf("an assignor's own data: %v %v", custom, err)
	}
	if got, _, err = parseAssignment(nil); err != nil || len(got) != 0 {
		t.Errorf("nothing at all: %v %v", got, err)
	}
}

// Members write what they like: nothing panics, and what is read takes a small multiple of its bytes.
func FuzzEmbedded(f *testing.F) {
	f.Add(versionThree)
	f.Add(appendAssignment(1, map[string][]int32{"a": {0, 4}, "b": {1}}))
	f.Add([]byte{0, 1, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSubscription(b); err == nil && (len(s.topics) > len(b) || len(s.owned) > len(b)) {
			t.Fatalf("%d topics in %d bytes", len(s.topics), len(b))
		}
		assigned, custom, err := parseAssignment(b)
		if err != nil || custom || len(b) < 2 || b[0] > 0x7f {
			return
		}
		again := appendAssignment(0, assigned)
		back, _, err := parseAssignment(again)
		if err != nil || !bytes.Equal(appendAssignment(0, back), again) {
			t.Fatalf("%v became %v: %v", assigned, back, err)
		}
	})
}

func TestExpressionsMatchWholeNames(t *testing.T) {
	for expr, want := range map[string]string{
		"a.*": "a ab", "a": "a", "a|b": "a b", ".*b": "ab b", "a)|(b": "", "": "", "(?i)AB": "ab", `(?m)^a$`: "a", "a(": "",
	} {
		re, err := compile(expr)
		var got []string
		for _, name := range []string{"a", "ab", "b", "c"} {
			if err == nil && expr != "" && re.MatchString(name) {
				got = append(got, name)
			}
		}
		if s := join(got); s != want {
			t.Errorf("%q matches %q, want %q (%v)", expr, s, want, err)
		}
	}
	if _, err := compile("(((a{50}){20}){10}|b)"); err == nil {
		t.Error("an expression of ten thousand steps is taken")
	}
}

func join(names []string) string {
	s := ""
	for i, n := range names {
		if i > 0 {
			s += " "
		}
		s += n
	}
	return s
}
