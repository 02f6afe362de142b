package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Save keeps a backup that comes from a reader in a file, once all of it has come and was verified. What was in the file
// before is there until then, and stays after an error.
func Save(path string, from io.Reader) (*Backup, error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*.tmp") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("save backup: %w", err)
	}
	b, err := Read(io.TeeReader(from, tmp))
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("save backup %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return b, syncDir(dir)
}

// Open reads the backup of a file.
func Open(path string) (*Backup, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// syncDir makes a rename survive a power failure.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
