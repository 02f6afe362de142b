package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/agent/backup"
)

func TestSaveKeepsWhatWasThereUntilItIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "muster.backup")
	whole := written(t, state(t))
	writing := func(b []byte) func(io.Writer) error {
		return func(to io.Writer) error { _, err := to.Write(b); return err }
	}
	if _, err := backup.Save(t.Context(), path, writing(whole)); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Save(t.Context(), path, func(io.Writer) error { return errFull }); !errors.Is(err, errFull) {
		t.Errorf("a writer that fails: %v", err)
	}
	for n := 0; n < len(whole); n += 40 {
		if _, err := backup.Save(t.Context(), path, writing(whole[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes were saved", n, len(whole))
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := backup.Save(gone, path, writing(whole)); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(raw, whole) {
		t.Errorf("after failures the file is another one: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("after failures there are %v, %v", left, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != fs.FileMode(0o600) {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	if b, err := backup.Open(path); err != nil || b.Index != 13 {
		t.Errorf("open: %v, %v", b, err)
	}
}
