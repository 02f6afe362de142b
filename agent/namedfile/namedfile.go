// Package namedfile reads the small files that settings name: keys, tokens, certificates.
//
// # What it promises
//
// A wrong name costs neither time nor memory. What is no regular file is refused before anything is read: a directory, a
// device, and a pipe, which would have whoever opens it wait until somebody writes, for ever as it may be. Of a file that is
// too large no more than that is read. Errors name the file, and show nothing of what it holds.
//
// Symbolic links are followed: that is how containers are given their secrets. Who may read a file is judged by the very file
// that is then read, so that none takes its place in between.
package namedfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Rules are what a file must keep to.
type Rules struct {
	Most int // bytes
	// Mode says what is wrong with who may read the file; nil takes any.
	Mode func(path string, mode fs.FileMode) error
}

// atOnce opens for reading, and returns at once also where the file is a pipe that nobody writes to.
const atOnce = os.O_RDONLY | syscall.O_NONBLOCK

// Read reads a whole file.
func Read(path string, r Rules) ([]byte, error) {
	f, err := os.OpenFile(path, atOnce, 0)
	if err != nil {
		return nil, err
	}
	return r.read(path, f)
}

// ReadIn reads a whole file of a directory, by a name that does not lead out of it.
func ReadIn(root *os.Root, name string, r Rules) ([]byte, error) {
	f, err := root.OpenFile(name, atOnce, 0)
	if err != nil {
		return nil, err
	}
	return r.read(name, f)
}

// read reads a file and closes it.
func (r Rules) read(path string, f *os.File) (content []byte, err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s; wanted is a regular file", path, kind(info.Mode()))
	}
	if r.Mode != nil {
		if err := r.Mode(path, info.Mode().Perm()); err != nil {
			return nil, err
		}
	}
	content, err = io.ReadAll(io.LimitReader(f, int64(r.Most)+1))
	if err != nil {
		return nil, err
	}
	if len(content) > r.Most {
		return nil, fmt.Errorf("%s is larger than the %d bytes that are taken", path, r.Most)
	}
	return content, nil
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	}
	return "a device"
}
