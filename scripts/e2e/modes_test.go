package e2e_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// careless runs a command line where every file is made for all to read and write, unless who makes it says otherwise.
var careless = []string{"/bin/sh", "-c", `umask 0; exec "$@"`, "sh"}

// private checks that what a path holds is for its owner alone, and that files of these names are among it.
func (w *world) private(path string, names ...string) {
	w.Helper()
	w.must(filepath.WalkDir(path, func(at string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if mode := info.Mode().Perm(); mode != want {
			w.Errorf("%s has mode %04o, want %04o", at, mode, want)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == e.Name() })
		return nil
	}))
	if len(names) > 0 {
		w.Errorf("%s holds no %q: this tests nothing", path, names)
	}
}

// TestNobodyElseReadsTheDisk looks at the modes of all that a peer and the offline commands write, whatever the umask: log and
// snapshot, kept and saved backups, a log that was compacted, a recovery and what it kept aside.
func TestNobodyElseReadsTheDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, p := w.lone("peer-a")
	p.Under = careless
	kept, saved := filepath.Join(w.rig.Dir, "kept"), filepath.Join(w.rig.Dir, "saved.backup")
	w.must(p.Start("-bootstrap-expect", "1", "-backup-dir", kept, "-backup-interval", "1s"))
	w.must(g.Ready(w.soon()))
	done := func(args ...string) {
		t.Helper()
		if got := w.runs(slices.Concat(careless, []string{program}, args)); got.code != 0 {
			t.Fatalf("muster %q: exit %d: %s", args, got.code, got.stderr)
		}
	}
	done("snapshot", "save", at(p.HTTP), saved)
	done("snapshot", "restore", at(p.HTTP), saved) // which raft keeps as a snapshot
	w.until("a backup", func(context.Context) error {
		if files, err := filepath.Glob(filepath.Join(kept, "*.backup")); err != nil || len(files) == 0 {
			return fmt.Errorf("there are %q, %w", files, err)
		}
		return nil
	})
	w.private(p.Data, "raft.db", "state.bin", "meta.json", "peer.json")
	w.private(saved)

	w.must(p.Stop())
	w.private(kept)
	done("operator", "compact-log", "-data-dir", p.Data)
	w.private(p.Data, "raft.db")
	done("operator", "recover", "-data-dir", p.Data, "-yes")
	aside, err := filepath.Glob(filepath.Join(p.Data, "before-recovery-*"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("kept aside are %q, %v", aside, err)
	}
	w.private(aside[0], "raft.db", "state.bin", "peer.json")
	w.private(p.Data)
	w.must(p.Start())
	w.must(g.Ready(w.soon()))
	w.private(p.Data, "raft.db", "state.bin")
	w.must(p.Stop())

	for _, mode := range []fs.FileMode{0o750, 0o701} {
		w.must(os.Chmod(p.Data, mode))
		w.refuses(p.Data, []string{fmt.Sprintf("%04o", mode), "chmod 700 "})
	}
}
