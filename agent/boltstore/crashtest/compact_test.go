package crashtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/agent/boltstore"
)

func compact(path string) error {
	_, _, err := boltstore.Compact(path)
	return err
}

// TestCompactReachesTheDisk looks in which order a compaction asks the kernel: a new file is synced after the last that is written to
// it, then takes the name, while the old one is locked, and the directory is synced. A power failure leaves one of the two, whole.
func TestCompactReachesTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.StoreLogs(entries(1, 300)); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is not there: run scripts/servers.sh")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	untraced := child(t, "compact", path)
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-y", "-o", trace,
		"-e", "trace=pwrite64,ftruncate,fdatasync,fsync,rename,renameat,renameat2,flock", untraced.Path)
	cmd.Env, cmd.Stderr = untraced.Env, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	calls := strings.Split(string(text), "\n")
	last := func(does ...string) (at int) {
		for i, call := range calls {
			for _, what := range does {
				if found := strings.Split(what, " "); strings.Contains(call, found[0]+"(") && strings.Contains(call, found[1]) {
					at = i
				}
			}
		}
		if at == 0 {
			t.Fatalf("there is none of %v in\n%s", does, text)
		}
		return at
	}
	written := last("pwrite64 "+path+".compact.tmp>", "ftruncate "+path+".compact.tmp>")
	synced := last("fdatasync "+path+".compact.tmp>", "fsync "+path+".compact.tmp>")
	renamed := last("rename "+path, "renameat "+path, "renameat2 "+path)
	released := last("flock LOCK_UN")
	kept := last("fsync "+filepath.Dir(path)+">", "fdatasync "+filepath.Dir(path)+">")
	if written > synced || synced > renamed || renamed > released || renamed > kept {
		t.Errorf("written by call %d, synced by %d, renamed by %d, the old one released by %d, kept by %d:\n%s",
			written, synced, renamed, released, kept, text)
	}
}
