package crashtest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/agent/boltstore"
)

// appendForEver prints a line for each entry and number that are acknowledged.
func appendForEver(path string) error {
	store, err := boltstore.Open(boltstore.Config{Path: path})
	for index := uint64(1); err == nil; index++ {
		if err = store.StoreLog(entry(index)); err == nil {
			err = store.SetUint64([]byte("acked"), index)
		}
		if err == nil {
			_, err = fmt.Println(index)
		}
	}
	return err
}

// TestWritesAreSynced counts how often a process that appends has the disk write what it wrote: at least once for each
// acknowledgement, or a power failure would take what was acknowledged. A process that is killed shows nothing of that.
func TestWritesAreSynced(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is not there: run scripts/servers.sh")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	untraced := child(t, "append", filepath.Join(t.TempDir(), "raft.db"))
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
