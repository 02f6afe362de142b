package backup_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/agent/backup"
)

func TestSaveKeepsWhatWasThereUntilItIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "muster.backup")
	whole := written(t, state(t))
	if _, err := backup.Save(path, bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		if _, err := backup.Save(path, bytes.NewReader(whole[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes were saved", n, len(whole))
		}
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
