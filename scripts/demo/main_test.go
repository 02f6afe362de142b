package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long the demonstration may take, beside all other tests on a busy machine. Alone it takes seconds.
const patience = 3 * time.Minute

// TestDemo runs what `make demo` runs: it shows the peers, all clusters and one of them, and then events, until its time is over.
func TestDemo(t *testing.T) {
	if testing.Short() {
		return
	}
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), bin)
	cmd.Env = append(os.Environ(), "DEMO_SECONDS=2")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it ends what it started
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Signal(os.Interrupt) })
	defer late.Stop()
	raw, err := cmd.CombinedOutput()
	out := string(raw)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"$ muster members", "leader", "$ muster discovery apply", "$ muster cluster list", "$ muster cluster show", "$ muster event follow"} {
		at := strings.Index(out, want)
		if at < 0 {
			t.Fatalf("it does not show %q next; it shows\n%s", want, raw)
		}
		out = out[at:]
	}
	for i := range 8 {
		if name := fmt.Sprintf("fleet-%05d", i); !strings.Contains(string(raw), "\n"+name+" ") {
			t.Errorf("it does not list %s; it shows\n%s", name, raw)
		}
	}
}
