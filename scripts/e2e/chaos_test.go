package e2e_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// TestChaosSmoke is the short run of scripts/chaos: a few faults, once each, and every check.
func TestChaosSmoke(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	root, err := rig.Root(ctx)
	w.must(err)
	bin := filepath.Join(w.rig.Dir, "chaos")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "./scripts/chaos")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(ctx, bin, "-smoke", "-bin", program).CombinedOutput()
	t.Logf("%s", out)
	w.must(err)
}
