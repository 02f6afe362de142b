package agent

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// keepAside copies what will change. The copy has its name once all of it is on disk.
func (r *Recovery) keepAside() (err error) {
	half := r.Aside + halfWritten
	if err := os.Mkdir(half, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(half))
		}
	}()
	made := []string{half}
	for _, name := range []string{fileRaft, "snapshots", fileSelf, filePeers} {
		err := filepath.WalkDir(r.dir.file(name), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			below, err := filepath.Rel(r.dir.path, path)
			if err != nil {
				return err
			}
			to := filepath.Join(half, below)
			if d.IsDir() {
				made = append(made, to)
				return os.Mkdir(to, 0o700)
			}
			return copyFile(path, to)
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
	if err := os.Rename(half, r.Aside); err != nil {
		return err
	}
	return syncDir(r.dir.path)
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
