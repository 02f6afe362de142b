package fsm_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// TestEventTypesAreAll compares the list with what is declared.
func TestEventTypesAreAll(t *testing.T) {
	source, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []fsm.EventType
	for _, m := range regexp.MustCompile(`EventType = "([a-z_.]+)"`).FindAllSubmatch(source, -1) {
		declared = append(declared, fsm.EventType(m[1]))
	}
	if all := fsm.EventTypes(); !slices.Equal(all, declared) || len(all) < 50 {
		t.Errorf("listed are %q, declared %q", all, declared)
	}
}
