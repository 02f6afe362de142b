package main

import (
	"fmt"
	"slices"
	"strings"
)

// bug is one that somebody could make, and what must notice.
type bug struct {
	number int
	words  string
	file   string // from the root of the module
	edits  []edit // all in that file
	caught []catch
}

// edit makes another text of one that stands once in a file.
type edit struct{ old, new string }

// catch is tests of one layer that must fail.
type catch struct {
	layer string // fsm, simulation, virtual time, component
	pkg   string // from the root of the module
	run   string // as go test's -run
	args  []string
}

// unshrunk has rapid neither look for the smallest failure nor keep it as a file: that it fails is enough.
var unshrunk = []string{"-rapid.shrinktime=0s", "-rapid.nofailfile"}

// planted is a file's text with the bug in it.
func (b *bug) planted(text string) (string, error) {
	for _, e := range b.edits {
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("bug %d: %s holds this %d times, wanted is once:\n%s", b.number, b.file, n, e.old)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return text, nil
}

// chosen are the bugs of some numbers, all of them when there are none.
func chosen(numbers []int) ([]bug, error) {
	all := slices.Concat(stateBugs, workBugs, groupBugs, edgeBugs)
	if len(numbers) == 0 {
		return all, nil
	}
	var out []bug
	for _, n := range numbers {
		found := len(out)
		for _, b := range all {
			if b.number == n {
				out = append(out, b)
			}
		}
		if len(out) == found {
			return nil, fmt.Errorf("there is no bug %d", n)
		}
	}
	return out, nil
}
