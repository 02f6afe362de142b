package world

import (
	"fmt"
	"maps"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// Counts says how often each kind of fault and of outcome came about.
type Counts map[string]int

func (c Counts) add(what string) { c[what]++ }

// Add takes in those of another world.
func (c Counts) Add(o Counts) {
	for k, n := range o {
		c[k] += n
	}
}

// Names are the kinds, sorted.
func (c Counts) Names() []string { return slices.Sorted(maps.Keys(c)) }

// Lacking are the kinds of commands that were never accepted: nothing is proved of what none of them did.
func (c Counts) Lacking() []string {
	return slices.DeleteFunc(fsm.KindNames(), func(kind string) bool { return c["done "+kind] > 0 })
}

// void says what a world did too little of to prove anything, empty when it did enough.
func (c Counts) void(steps int) string {
	for _, want := range []struct {
		what  string
		least int
	}{
		{"done refresh changed", steps / 400},
		{"done run", steps / 200},
		{"event", steps / 50},
		{"term", 2},
		{"fault", steps / 100},
	} {
		if n := c[want.what]; n < want.least {
			return fmt.Sprintf("%q came about %d times; at least %d are wanted", want.what, n, want.least)
		}
	}
	return ""
}
