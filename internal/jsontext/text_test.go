package jsontext

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// oracle is what encoding/json makes of s, without escapes for HTML.
func oracle(t *testing.T, s string) string {
	t.Helper()
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func TestSpecialBytesAreFoundAnywhereInAString(t *testing.T) {
	for n := range 40 {
		plain := strings.Repeat("abcdefg~", 5)[:n]
		texts := []string{plain}
		for i := range n {
			for _, special := range []string{`"`, `\`, "\x00", "\x1f", "\n", "é", "\xff", "\u2028"} {
				texts = append(texts, plain[:i]+special+plain[i+1:])
			}
		}
		for _, s := range texts {
			if got, want := string(AppendString([]byte("before"), s)), "before"+oracle(t, s); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		}
	}
}

func BenchmarkAppendString(b *testing.B) {
	dst := make([]byte, 0, 128)
	for _, n := range []int{0, 3, 6, 10, 17, 64} {
		s := strings.Repeat("x", n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				AppendString(dst, s)
			}
		})
	}
}
