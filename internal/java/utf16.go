package java

import (
	"strings"
	"unicode/utf8"
)

// Length is the number of UTF-16 units in s.
func Length(s string) int {
	n := len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c < utf8.RuneSelf:
		case c&0xC0 == 0x80: // a following byte: no unit of its own
			n--
		case c >= 0xF0: // a rune of four bytes has two units
			n++
		}
	}
	return n
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// offset is the byte at which the unit-th UTF-16 unit of s starts. A position inside a pair stands for the rune's start.
func offset(s string, unit int) int {
	for i, r := range s {
		if unit <= 0 {
			return i
		}
		unit--
		if r > 0xFFFF {
			if unit == 0 {
				return i
			}
			unit--
		}
	}
	return len(s)
}

// Substring returns the units [from, to) of s; both are cut to what s has. Unlike Java's it never halves a pair: half a pair is none.
func Substring(s string, from, to int) string {
	from = max(from, 0)
	if to <= from {
		return ""
	}
	if ascii(s) {
		return s[min(from, len(s)):min(to, len(s))]
	}
	return s[offset(s, from):offset(s, to)]
}

// Index is the position of the n-th sub, from 1, in s at or behind position from, -1: there is none. Occurrences may overlap.
func Index(s, sub string, from, n int) int {
	from = max(from, 0)
	if from > Length(s) {
		return -1
	}
	at := offset(s, from)
	for {
		i := strings.Index(s[at:], sub)
		if i < 0 {
			return -1
		}
		at += i
		if n--; n <= 0 {
			return Length(s[:at])
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
}

// LastIndex is the position of the n-th sub, counted from the end, in s that starts at or before position from, -1: there is none.
func LastIndex(s, sub string, from, n int) int {
	if from < 0 {
		return -1
	}
	start := offset(s, from)
	for {
		i := strings.LastIndex(s[:min(start+len(sub), len(s))], sub)
		if n--; n <= 0 && i >= 0 {
			return Length(s[:i])
		}
		if i <= 0 {
			return -1
		}
		_, size := utf8.DecodeLastRuneInString(s[:i])
		start = i - size
	}
}
