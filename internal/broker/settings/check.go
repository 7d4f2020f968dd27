package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The checks of values return what is wrong, or nothing.

func splitList(v string) []string {
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func oneOf(words ...string) func(string) string {
	return func(v string) string {
		if slices.Contains(words, v) {
			return ""
		}
		return "String must be one of: " + strings.Join(words, ", ")
	}
}

func oneOfList(words ...string) func(string) string {
	one := oneOf(words...)
	return func(v string) string {
		list := splitList(v)
		if len(list) == 0 {
			return "the list must not be empty"
		}
		for i, w := range list {
			if wrong := one(w); wrong != "" {
				return wrong
			}
			if slices.Contains(list[:i], w) {
				return "the list names " + w + " twice"
			}
		}
		return ""
	}
}

func between(low, high int64) func(string) string {
	return func(v string) string {
		switch n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); {
		case err != nil:
			return "Not a number of type INT or LONG"
		case n < low:
			return fmt.Sprintf("Value must be at least %d", low)
		case n > high:
			return fmt.Sprintf("Value must be no more than %d", high)
		}
		return ""
	}
}

func atLeast(low int64) func(string) string { return between(low, math.MaxInt64) }

func boolean(v string) string {
	if v = strings.ToLower(strings.TrimSpace(v)); v == "true" || v == "false" {
		return ""
	}
	return "Expected value to be either true or false"
}

func ratio(v string) string {
	f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return "Value must be a number between 0 and 1"
	}
	return ""
}

func throttled(v string) string {
	if v == "" || v == "*" {
		return ""
	}
	for _, pair := range splitList(v) {
		a, b, ok := strings.Cut(pair, ":")
		if ok && between(0, math.MaxInt32)(a) == "" && between(0, math.MaxInt32)(b) == "" {
			continue
		}
		return "Must be the literal '*', or a list of partition:broker pairs"
	}
	return ""
}

func notTiered(v string) string {
	if wrong := boolean(v); wrong != "" {
		return wrong
	}
	if strings.EqualFold(strings.TrimSpace(v), "true") {
		return "Tiered Storage functionality is disabled in the broker."
	}
	return ""
}
