package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func every(t *testing.T) []bug {
	t.Helper()
	all, err := chosen(nil)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every bug can still be planted: what it changes stands once in its file.
func TestBugsCanBePlanted(t *testing.T) {
	for _, b := range every(t) {
		text, err := os.ReadFile(filepath.Join(root, b.file))
		if err != nil {
			t.Error(err)
			continue
		}
		changed, err := b.planted(string(text))
		if err != nil {
			t.Error(err)
		} else if changed == string(text) || len(b.edits) == 0 {
			t.Errorf("bug %d changes nothing", b.number)
		}
	}
}

// Every bug has a test that must catch it, and those tests are there.
func TestCatchersAreThere(t *testing.T) {
	for _, b := range every(t) {
		if len(b.caught) == 0 || b.words == "" {
			t.Errorf("bug %d (%s) is caught by nothing", b.number, b.words)
		}
		for _, c := range b.caught {
			tests := testsOf(t, c.pkg)
			for name := range strings.SplitSeq(c.run, "|") {
				if !tests[name] {
					t.Errorf("bug %d: there is no test %s in %s", b.number, name, c.pkg)
				}
			}
		}
	}
}

var testHead = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

func testsOf(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", pkg, err)
	}
	tests := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range testHead.FindAllStringSubmatch(string(text), -1) {
			tests[found[1]] = true
		}
	}
	return tests
}

// No number is left out.
func TestNumbers(t *testing.T) {
	there := map[int]bool{}
	for _, b := range every(t) {
		there[b.number] = true
	}
	for n := 1; n <= 27; n++ {
		if !there[n] {
			t.Errorf("there is no bug %d", n)
		}
	}
	if some, err := chosen([]int{3, 27}); err != nil || len(some) != 3 {
		t.Errorf("bugs 3 and 27 are %d, error %v", len(some), err)
	}
	if _, err := chosen([]int{28}); err == nil {
		t.Error("there is a bug 28")
	}
}
