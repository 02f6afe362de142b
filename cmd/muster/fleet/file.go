package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxFile is what muster's file backend reads; some 250,000 nodes.
const maxFile = 16 << 20

// file lists nodes in a discovery file, which is whole at any time: it is written beside and renamed.
type file struct{ path string }

func (f *file) publish(_ context.Context, r *roster) error { return f.write(r) }

func (f *file) change(_ context.Context, r *roster, moved []listing) error {
	if len(moved) == 0 {
		return nil
	}
	return f.write(r)
}

// withdraw leaves the file; see the package comment.
func (f *file) withdraw(context.Context) error { return nil }

func (f *file) write(r *roster) (err error) {
	// Names that begin with a dot are left out of patterns.
	beside, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*")
	if err != nil {
		return fmt.Errorf("write discovery file: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write discovery file %s: %w", f.path, err)
			_ = os.Remove(beside.Name())
		}
	}()
	size := &counter{to: beside}
	err = errors.Join(encodeRoster(size, r), beside.Chmod(0o644), beside.Sync(), beside.Close())
	switch {
	case err != nil:
		return err
	case size.n > maxFile:
		return fmt.Errorf("it would have %d bytes, and muster reads %d at most; list so many nodes in Consul", size.n, maxFile)
	}
	return os.Rename(beside.Name(), f.path)
}

// encodeRoster writes a line per cluster.
func encodeRoster(to io.Writer, r *roster) error {
	type node struct {
		ID      string `json:"id"`
		Address string `json:"address"`
		Port    int    `json:"port"`
	}
	type cluster struct {
		Cluster string `json:"cluster"`
		Nodes   []node `json:"nodes"`
	}
	w := bufio.NewWriter(to)
	before := "[\n"
	for members := range r.clusters() {
		c := cluster{Cluster: members[0].cluster}
		for _, m := range members {
			c.Nodes = append(c.Nodes, node{ID: m.id, Address: m.address, Port: m.port})
		}
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		_, _ = w.WriteString(before)
		_, _ = w.Write(line)
		before = ",\n"
	}
	if before == "[\n" {
		_, _ = w.WriteString("[")
	}
	_, _ = w.WriteString("\n]\n")
	return w.Flush()
}

type counter struct {
	to io.Writer
	n  int
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += n
	return n, err
}
