package bootstrap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FileName is the promises' file in the data directory.
const FileName = "promises.json"

const (
	fileVersion = 1
	fileLimit   = 1 << 20
)

type content struct {
	Version  int      `json:"version"`
	Promises Promises `json:"promises"`
}

// load reads the promises in dir. No file means that none were made; a file
// that cannot be understood is an error, never an empty one.
func load(dir, id string) (Promises, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Promises{ID: id}, nil
	}
	if err != nil {
		return Promises{}, fmt.Errorf("bootstrap: read promises: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err != nil {
		return Promises{}, fmt.Errorf("bootstrap: read promises: %w", err)
	}
	p, err := parse(b)
	if err != nil {
		return Promises{}, fmt.Errorf("bootstrap: %s: %w", path, err)
	}
	if p.ID != id {
		return Promises{}, fmt.Errorf("bootstrap: %s belongs to peer %s, this is %s", path, p.ID, id)
	}
	return p, nil
}

func parse(b []byte) (Promises, error) {
	if len(b) > fileLimit {
		return Promises{}, fmt.Errorf("over %d bytes", fileLimit)
	}
	var c content
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Promises{}, fmt.Errorf("decode: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Promises{}, errors.New("decode: something follows the promises")
	}
	if c.Version != fileVersion {
		return Promises{}, fmt.Errorf("version %d is not known to this release", c.Version)
	}
	return c.Promises, c.Promises.check()
}

// save puts p in the place of what was there: after a crash the file is the
// old one or the new one. After an error it may be either.
func save(dir string, p Promises) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("bootstrap: refusing to write promises: %w", err)
	}
	b, err := json.MarshalIndent(content{fileVersion, p}, "", "  ")
	if err != nil {
		return fmt.Errorf("bootstrap: encode promises: %w", err)
	}
	path := filepath.Join(dir, FileName)
	if err := writeSynced(path+".tmp", append(b, '\n')); err != nil {
		return fmt.Errorf("bootstrap: write promises: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("bootstrap: write promises: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("bootstrap: write promises: %w", err)
	}
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// PromisedTo is the peer to which the one whose data directory is dir has
// promised itself, "" for none.
func PromisedTo(dir, id string) (string, error) {
	p, err := load(dir, id)
	return p.To, err
}

// Release frees the peer whose data directory is dir from its promise to
// holder. It is an operator's word that holder's own data directory will never
// be used again, and for a peer that is not running.
func Release(dir, id, holder string) error {
	p, err := load(dir, id)
	if err != nil {
		return err
	}
	if p.To != holder || holder == id || holder == "" {
		return fmt.Errorf("bootstrap: peer %s is promised to %q, not to %q", id, p.To, holder)
	}
	p.To = ""
	return save(dir, p)
}
