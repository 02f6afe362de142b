package cli_test

import (
	"runtime/debug"
	"testing"

	"github.com/musterhq/muster/cmd/muster/cli"
)

func TestGarbageIsCollectedAsTheEnvironmentSays(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for env, want := range map[string]int{"": 50, "200": 100, "off": 100} { // Go itself has read what is set
		debug.SetGCPercent(100)
		cli.CollectOften(func(string) string { return env })
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("with GOGC=%q it is %d, want %d", env, got, want)
		}
	}
}
