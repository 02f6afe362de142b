package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/keyring"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
)

// pathKeyring is where a peer changes its gossip keys on another's word. Keys travel over the peer port and not over gossip,
// which they are the lock of: so a peer that gossip no longer hears still follows, and its error is told.
const pathKeyring = "/keyring"

// What a peer is asked to do with its keyring.
const (
	keyringList    = "list"
	keyringInstall = "install"
	keyringUse     = "use"
	keyringRemove  = "remove"
)

// keyringRequest is one step on one peer: Key is the key to install, else the id of one.
type keyringRequest struct {
	Op  string `json:"op"`
	Key string `json:"key,omitempty"`
}

// keyringAnswer is a peer's keys by their ids, the one in use first.
type keyringAnswer struct {
	Keys []string `json:"keys"`
}

var errNoKey = errors.New("this peer gossips in the clear; start it with -gossip-key-file")

// openKeyring reads this peer's gossip keys, of which -gossip-key-file gives the first.
func (a *Agent) openKeyring() (err error) {
	first := ""
	if path := a.cfg.GossipKeyFile; path != "" {
		if first, err = keyring.Read(path); err != nil {
			return fmt.Errorf("-gossip-key-file: %w", err)
		}
	}
	if a.keys, err = keyring.Open(a.keyringFile(), first); err != nil || first == "" {
		return err
	}
	if id, err := keyring.IDOf(first); err == nil && !a.keys.Holds(id) {
		a.log.Warn("the key of -gossip-key-file is not on this peer's keyring, which counts; muster keyring install adds it while "+
			"running; to have this peer begin anew with it, stop it and remove keyring.json from its data directory", "key", id)
	}
	return nil
}

// holdsKeyring says whether the data directory has gossip keys of an earlier life, which count without the file of the first.
func (c *Config) holdsKeyring() bool {
	if c.DataDir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(c.DataDir, datadir.FileKeyring))
	return err == nil
}

// keyringFile is where the gossip keys are kept.
func (a *Agent) keyringFile() keyring.Disk {
	return keyring.Disk{
		Load: func() (keys []string, err error) {
			err = a.dir.Read(datadir.FileKeyring, &keys)
			return keys, err
		},
		Store: func(keys []string) error { return a.dir.Write(datadir.FileKeyring, keys) },
	}
}

// serveKeyring does one step on this peer for another that is in the group.
func (a *Agent) serveKeyring(ctx context.Context, q keyringRequest) (keyringAnswer, error) {
	caller, _ := peerport.CallerOf(ctx)
	if err := a.mayChangeKeys(caller.ID); err != nil {
		return keyringAnswer{}, err
	}
	return a.changeKeyring(q)
}

// mayChangeKeys refuses who is not in the group.
func (a *Agent) mayChangeKeys(id string) error {
	servers, err := a.configuration()
	if err == nil && !slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == id }) {
		err = fsm.Errorf(fsm.CodeForbidden, "peer %s is not in the group", id)
	}
	return err
}

// changeKeyring does one step on this peer.
func (a *Agent) changeKeyring(q keyringRequest) (keyringAnswer, error) {
	if a.keys == nil {
		return keyringAnswer{}, fsm.Errorf(fsm.CodeConflict, "%s", errNoKey)
	}
	var err error
	switch q.Op {
	case keyringList:
	case keyringInstall:
		err = a.keys.Install(q.Key)
	case keyringUse:
		err = a.keys.Use(q.Key)
	case keyringRemove:
		err = a.keys.Remove(q.Key)
	default:
		err = fmt.Errorf("%q is nothing this release does with a keyring", q.Op)
	}
	if err != nil {
		return keyringAnswer{}, fsm.Errorf(fsm.CodeConflict, "%s", err)
	}
	if q.Op != keyringList {
		a.log.Info("gossip keyring changed", "step", q.Op, "keys", a.keys.IDs())
	}
	return keyringAnswer{Keys: a.keys.IDs()}, nil
}
