package httpd

import (
	"fmt"
	"slices"
	"strings"
)

// didYouMean ends a message about an unknown word: with the known word that is nearest, where one is near, and with all
// there are.
func didYouMean(word string, known []string) string {
	all := slices.Sorted(slices.Values(known))
	hint := ""
	least := 3 // edits; more is another word
	for _, k := range all {
		if d := edits(word, k); d < least && d < len(k) {
			least, hint = d, fmt.Sprintf(" (did you mean %q?)", k)
		}
	}
	return hint + "; there are: " + strings.Join(all, ", ")
}

// edits is the number of single-byte insertions, deletions and replacements between two words.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	last := make([]int, len(b)+1)
	next := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			replace := last[j]
			if a[i] != b[j] {
				replace++
			}
			next[j+1] = min(replace, last[j+1]+1, next[j]+1)
		}
		last, next = next, last
	}
	return last[len(b)]
}
