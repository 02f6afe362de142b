package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Check says why a peer of a group would not start on a data directory. It only reads, whether or not a peer runs on it; one that is
// not there yet is as good as any.
func Check(path, group string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", path)
	}
	d := &Dir{path: path}
	if err := errors.Join(private(path, info), Readable(path)); err != nil {
		return err
	}
	if err := d.Read(FileSelf, &d.self); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return d.fits(group)
}

// ReadIn reads a file of JSON of a data directory that others may have open.
func ReadIn(path, name string, into any) error { return (&Dir{path: path}).Read(name, into) }

func private(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("data directory %s may be read by others (mode %04o); it holds everything this group knows: chmod 700 %s",
			path, mode, path)
	}
	return nil
}

// fits refuses a directory of another group.
func (d *Dir) fits(group string) error {
	if d.self.Name == group {
		return nil
	}
	return fmt.Errorf("data directory %s belongs to group %q, not %q: use another -data-dir or -group %s",
		d.path, d.self.Name, group, d.self.Name)
}
