package boltstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Defaults for the fields of Config that are zero.
const (
	DefaultOpenTimeout  = 3 * time.Second
	DefaultWriteTimeout = 10 * time.Second
)

// Config says where a Store is and how patient it is.
type Config struct {
	// Path of the file, created with mode 0600 when absent. Its directory must
	// exist.
	Path string

	// OpenTimeout is how long Open waits for the file's lock, which one process
	// at a time can hold.
	OpenTimeout time.Duration

	// WriteTimeout is how long one write may take, sync included, before it
	// counts as failed.
	WriteTimeout time.Duration

	// Registerer takes the store's metrics until Close. Nil keeps them
	// unregistered, for offline commands.
	Registerer prometheus.Registerer

	// BeforeCommit, when set, is called in every write, the one in Open
	// included, when its changes are made and nothing has reached the disk yet.
	// An error fails the write as the disk would; not returning hangs it. It is
	// the seam for fault injection and nil otherwise.
	BeforeCommit func() error
}

// Validate reports what Open would refuse.
func (c Config) Validate() error {
	if c.Path == "" {
		return errors.New("log store: path is empty")
	}
	if c.OpenTimeout < 0 {
		return fmt.Errorf("log store: open timeout %s is negative", c.OpenTimeout)
	}
	if c.WriteTimeout < 0 {
		return fmt.Errorf("log store: write timeout %s is negative", c.WriteTimeout)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.OpenTimeout == 0 {
		c.OpenTimeout = DefaultOpenTimeout
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = DefaultWriteTimeout
	}
	if c.BeforeCommit == nil {
		c.BeforeCommit = func() error { return nil }
	}
	return c
}
