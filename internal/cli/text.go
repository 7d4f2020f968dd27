package cli

import (
	"fmt"
	"strings"
	"time"
)

// textWidth is how wide text for people may be.
const textWidth = 80

// sizeText writes bytes with a unit; negative: not known.
func sizeText(n int64) string {
	switch {
	case n < 0:
		return "-"
	case n < 1024:
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1024, 0
	for v >= 1024 && i < len("KMGTPE")-1 {
		v, i = v/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTPE"[i])
}

// countText writes a number in groups of three digits.
func countText(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// rateText writes a number per second.
func rateText(r float64) string {
	if r >= 100 {
		return countText(int64(r + 0.5))
	}
	return fmt.Sprintf("%.1f", r)
}

// spanText writes milliseconds in the unit that people would; negative: not known.
func spanText(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case ms < 0:
		return "-"
	case d < time.Second:
		return fmt.Sprintf("%d ms", ms)
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// short cuts a name that would break a column; its end, which often tells more, stays.
func short(name string, width int) string {
	r := []rune(name)
	if len(r) <= width {
		return name
	}
	return "…" + string(r[len(r)-width+1:])
}

// wrap breaks text into lines of textWidth behind a prefix; the lines after the first are indented as far.
func wrap(prefix, text string) string {
	indent := strings.Repeat(" ", len([]rune(prefix)))
	var b strings.Builder
	line, width := prefix, len([]rune(prefix))
	empty := true
	for _, word := range strings.Fields(text) {
		n := len([]rune(word))
		if !empty && width+1+n > textWidth {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, width, empty = indent, len(indent), true
		}
		if !empty {
			line, width = line+" ", width+1
		}
		line, width, empty = line+word, width+n, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
