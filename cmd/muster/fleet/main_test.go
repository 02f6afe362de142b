package fleet_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/cmd/muster/fleet"
)

// TestMain is also the program that a fleet of several processes starts, and the servers that benchmarks measure.
func TestMain(m *testing.M) {
	switch {
	case fleet.IsShare():
		if err := fleet.RunShare(context.Background(), slog.New(slog.DiscardHandler)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case os.Getenv(measuredVar) != "":
		serveMeasured(os.Getenv(measuredVar))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
