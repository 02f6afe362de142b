package bundle

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Name is what a bundle is called, as a folder and without the end of a file's name.
func (x *Index) Name() string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, x.Peer)
	return "muster-debug-" + plain + "-" + x.Began.Format("20060102T150405Z")
}

// Archive writes what was gathered in a directory as a gzipped tar of one folder.
func Archive(to io.Writer, dir string, x *Index) error {
	zip := gzip.NewWriter(to)
	out := tar.NewWriter(zip)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return add(out, file, path.Join(x.Name(), filepath.ToSlash(inside)), x.Began)
	})
	return errors.Join(err, out.Close(), zip.Close())
}

// add puts a file into an archive.
func add(out *tar.Writer, file, name string, at time.Time) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: at}); err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return err
}
