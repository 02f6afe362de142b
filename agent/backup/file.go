package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Save keeps the backup that a function writes in a file, once all of it is on disk and was verified. What was in the file
// before is there until then, and stays after an error.
func Save(ctx context.Context, path string, write func(io.Writer) error) (*Backup, error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*.tmp") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("save backup: %w", err)
	}
	b, err := fill(&file{tmp, ctx}, write)
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("save backup %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return b, syncDir(dir)
}

// fill writes a file and reads back what is in it.
func fill(f *file, write func(io.Writer) error) (*Backup, error) {
	if err := write(f); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return Read(f)
}

// file is one that nobody waits for any more once ctx has ended.
type file struct {
	*os.File
	ctx context.Context //nolint:containedctx // of the one call that makes it
}

func (f *file) Write(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *file) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

// Open reads the backup of a file.
func Open(path string) (*Backup, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := Read(f)
	_ = f.Close() // it was only read
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
