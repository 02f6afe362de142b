package table

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Width is how many places a text takes on a terminal.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += places(r)
	}
	return n
}

// places is how many a rune takes: marks that sit on others none, ideographs and emoji two.
func places(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
		return 2
	}
	return 1
}

// Cut makes a text fit a number of places; what had to be cut ends in "…".
func Cut(s string, most int) string {
	if Width(s) <= most {
		return s
	}
	n := 0
	for i, r := range s {
		if n += places(r); n > most-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// Clean replaces what does not print, line breaks included.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
