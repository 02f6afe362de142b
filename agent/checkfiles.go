package agent

import (
	"errors"
	"fmt"

	"github.com/musterhq/muster/agent/cert"
	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/keyring"
)

// CheckFiles says what is wrong with what is on the disk for a configuration: all of it, each by its option. It asks for what New
// would read, and writes and locks nothing, so that it may be asked while a peer runs.
func (c Config) CheckFiles() error {
	c.withDefaults()
	wrong := []error{c.checkDirectory(), c.checkCertificate(), c.checkGossipKey(), c.Consul.CheckFiles(), c.Trace.CheckFiles()}
	return errors.Join(wrong...)
}

func (c *Config) checkDirectory() error {
	if c.DataDir == "" {
		return nil
	}
	if err := datadir.Check(c.DataDir, c.Group); err != nil {
		return fmt.Errorf("-data-dir: %w", err)
	}
	return nil
}

func (c *Config) checkCertificate() error {
	if !c.TLS.on() {
		return nil
	}
	return cert.Check(c.certificates())
}

// checkGossipKey judges the first key, and the ring in the data directory, which counts once it is there.
func (c *Config) checkGossipKey() error {
	var wrong []error
	if c.GossipKeyFile != "" {
		if _, err := keyring.Read(c.GossipKeyFile); err != nil {
			wrong = append(wrong, fmt.Errorf("-gossip-key-file: %w", err))
		}
	}
	if c.holdsKeyring() {
		if _, err := keyring.Open(c.keyringOnDisk(), ""); err != nil {
			wrong = append(wrong, fmt.Errorf("-data-dir: %w", err))
		}
	}
	return errors.Join(wrong...)
}

// keyringOnDisk is the ring of a data directory that a peer may have open: it is only read.
func (c *Config) keyringOnDisk() keyring.Disk {
	return keyring.Disk{Load: func() (keys []string, err error) {
		err = datadir.ReadIn(c.DataDir, datadir.FileKeyring, &keys)
		return keys, err
	}}
}
