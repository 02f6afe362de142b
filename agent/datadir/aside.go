package datadir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// CopyAside copies files and folders of the directory, as far as they are there, into a new folder. It has its name once all of it
// is on disk.
func (d *Dir) CopyAside(to string, names ...string) (err error) {
	half := to + halfWritten
	if err := os.Mkdir(half, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(half))
		}
	}()
	made := []string{half}
	for _, name := range names {
		err := filepath.WalkDir(d.File(name), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			below, err := filepath.Rel(d.path, path)
			if err != nil {
				return err
			}
			copied := filepath.Join(half, below)
			if e.IsDir() {
				made = append(made, copied)
				return os.Mkdir(copied, 0o700)
			}
			return copyFile(path, copied)
		})
		if err != nil {
			return err
		}
	}
	for _, dir := range slices.Backward(made) {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	if err := os.Rename(half, to); err != nil {
		return err
	}
	return syncDir(d.path)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, in.Close(), out.Sync(), out.Close())
}
