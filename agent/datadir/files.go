package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Path is where it is.
func (d *Dir) Path() string { return d.path }

// File is the path of one of its files.
func (d *Dir) File(name string) string { return filepath.Join(d.path, name) }

// Read reads a file of JSON. The error of one that is not there wraps fs.ErrNotExist.
func (d *Dir) Read(name string, into any) error {
	if d == nil {
		return fs.ErrNotExist
	}
	raw, err := os.ReadFile(d.File(name))
	if err != nil {
		return fmt.Errorf("read data directory: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read %s: %w", d.File(name), err)
	}
	return nil
}

// Write replaces a file, by JSON, as one step that survives a crash.
func (d *Dir) Write(name string, v any) error {
	if d == nil {
		return nil
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(d.path, strings.TrimSuffix(name, ".json")+"-*"+halfWritten)
	if err != nil {
		return fmt.Errorf("write data directory: %w", err)
	}
	_, err = tmp.Write(append(raw, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), d.File(name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", d.File(name), err), os.Remove(tmp.Name()))
	}
	return syncDir(d.path)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Temp makes a file for its owner alone, which the next start takes away if it is left. That of a nil Dir is where the system has
// such files.
func (d *Dir) Temp(prefix string) (*os.File, error) {
	dir := ""
	if d != nil {
		dir = d.path
	}
	return os.CreateTemp(dir, prefix+"*"+halfWritten)
}

// Size is how large one of its files is, or all files below a folder of it. What goes meanwhile counts nothing.
func (d *Dir) Size(name string) int64 {
	total := int64(0)
	// Its error would be one of the function's, which has none.
	_ = filepath.WalkDir(d.File(name), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // what cannot be seen is not counted
		}
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}
