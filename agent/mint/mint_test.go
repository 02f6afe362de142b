package mint_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/mint"
)

// TestIDs makes ids at two moments: they differ, and sort by when they were made.
func TestIDs(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	before := ""
	for i := range 100 {
		id := mint.ID(at.Add(time.Duration(i/10) * time.Millisecond))
		if len(id) != 26 || id <= before {
			t.Errorf("%q comes after %q", id, before)
		}
		before = id
	}
}

// TestSecrets makes secrets: each is another one, and none can be guessed or written in two ways.
func TestSecrets(t *testing.T) {
	form, seen := regexp.MustCompile(`^muster_[a-z2-7]{52}$`), map[string]bool{}
	for range 100 {
		s := mint.Secret()
		if !form.MatchString(s) || seen[s] {
			t.Errorf("%q", s)
		}
		seen[s] = true
	}
}
