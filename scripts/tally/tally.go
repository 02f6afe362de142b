package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string // empty for what concerns the package as a whole
	Output  string
}

// subject is a test, or a package when test is empty.
type subject struct{ pkg, test string }

// tally counts the outcomes of tests and subtests, and holds what each printed until it is known whether that
// matters.
type tally struct {
	out     io.Writer
	said    map[subject][]string
	passed  int
	failed  int
	skipped []string // one line each: package, test, reason
	tested  int      // packages with tests
	bare    int      // packages without
}

func newTally(out io.Writer) *tally {
	return &tally{out: out, said: make(map[subject][]string)}
}

// add takes the next event.
func (t *tally) add(e event) {
	s := subject{e.Package, e.Test}
	switch e.Action {
	case "output":
		t.said[s] = append(t.said[s], e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.packageEnded(s.pkg, e.Action)
		} else {
			t.testEnded(s, e.Action)
		}
	}
}

func (t *tally) testEnded(s subject, action string) {
	switch action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		t.print(s)
	case "skip":
		t.skipped = append(t.skipped, fmt.Sprintf("%s %s: %s", s.pkg, s.test, reason(t.said[s])))
	}
	delete(t.said, s)
}

// packageEnded prints the closing lines of a package. Of one that failed it prints all that is left, which takes in
// what a test said that never ended (a panic, a timeout).
func (t *tally) packageEnded(pkg, action string) {
	whole := subject{pkg: pkg}
	switch action {
	case "pass":
		t.tested++
		if said := t.said[whole]; len(said) > 0 {
			fmt.Fprint(t.out, said[len(said)-1])
		}
	case "skip":
		t.bare++
		t.print(whole)
	case "fail":
		t.tested++
		for _, s := range t.unfinished(pkg) {
			t.failed++
			t.print(s)
			delete(t.said, s)
		}
		t.print(whole)
	}
	delete(t.said, whole)
}

// unfinished lists the package's tests that have printed and not ended, by name.
func (t *tally) unfinished(pkg string) []subject {
	var left []subject
	for s := range t.said {
		if s.pkg == pkg && s.test != "" {
			left = append(left, s)
		}
	}
	slices.SortFunc(left, func(a, b subject) int { return strings.Compare(a.test, b.test) })
	return left
}

func (t *tally) print(s subject) {
	for _, output := range t.said[s] {
		fmt.Fprint(t.out, output)
	}
}

// close writes the report and returns how many tests and subtests passed.
func (t *tally) close() int {
	fmt.Fprintf(t.out, "\nran the tests of %d packages; %d more have none\n", t.tested, t.bare)
	for _, line := range t.skipped {
		fmt.Fprintln(t.out, "skipped", line)
	}
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, len(t.skipped))
	return t.passed
}

// reason is what a skipped test said, on one line and without go test's own marks.
func reason(said []string) string {
	var words []string
	for _, output := range said {
		line := strings.TrimSpace(output)
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- SKIP") {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}
