package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent/cert"
)

// folder is where certificates are put.
type folder struct {
	dir   string
	force bool
}

func (p *Program) folderFlags(c *cobra.Command, to *folder) {
	f := c.Flags()
	f.StringVar(&to.dir, "dir", ".", "`DIR` to put the files in")
	f.BoolVar(&to.force, "force", false, "put them in the place of files that are there")
	f.StringVar(&p.dial.format, "format", "table", "`table` or json: what was made")
}

// pairFiles are the paths of a certificate and its key.
type pairFiles struct{ cert, key string }

func (f folder) files(cert, key string) pairFiles {
	return pairFiles{filepath.Join(f.dir, cert), filepath.Join(f.dir, key)}
}

// free is an error when one of the files is there.
func (f pairFiles) free() error {
	for _, path := range []string{f.cert, f.key} {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already: say -force to put a new one in its place, or another -name or -dir", path)
		}
	}
	return nil
}

// made is what was made, for programs.
type made struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// keep writes what was issued, the key first: a peer that looks in between finds a pair that does not fit, and keeps to the last.
func (p *Program) keep(i cert.Issued, to pairFiles, force bool) error {
	if p.dial.format != "table" && !p.json() {
		return fmt.Errorf("-format %q is neither table nor json", p.dial.format)
	}
	if !force {
		if err := to.free(); err != nil {
			return err
		}
	}
	if err := replace(to.key, i.Key, 0o600); err != nil {
		return err
	}
	if err := replace(to.cert, i.Cert, 0o644); err != nil {
		return err
	}
	if p.json() {
		return p.writeJSON(made{Cert: to.cert, Key: to.key})
	}
	fmt.Fprintf(p.Out, "Certificate %s\nPrivate key %s\n", to.cert, to.key)
	return nil
}

// replace puts a file in its place whole.
func replace(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
