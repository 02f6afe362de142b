package boltstore_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestWritesAreSynced counts how often a process that appends has the disk write what it wrote: at least once for each
// acknowledgement, or a power failure would take what was acknowledged. A process that is killed shows nothing of that.
func TestWritesAreSynced(t *testing.T) {
	if testing.Short() {
		t.Skip("needs strace")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is not there: run scripts/servers.sh")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	untraced := child(t, "append", filePath(t))
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-o", trace, "-e", "trace=fdatasync,fsync", "-e", "status=successful",
		untraced.Path)
	cmd.Env, cmd.Stderr = untraced.Env, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const acknowledgements = 50
	for lines, n := bufio.NewScanner(out), 0; n < acknowledgements && lines.Scan(); {
		n++
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil { // and with it the child
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	// Each acknowledgement is of two transactions, and the last line of the trace may still be on its way.
	if synced := bytes.Count(text, []byte("sync(")); synced < 2*acknowledgements {
		t.Errorf("%d acknowledgements came after %d syncs", acknowledgements, synced)
	}
}
