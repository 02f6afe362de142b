package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/bootstrap"
	"github.com/musterhq/muster/agent/gossip"
)

func (a *Agent) makeFounder(ctx context.Context) error {
	dir := a.cfg.DataDir
	if a.cfg.Dev {
		return a.found(ctx, []string{a.id})
	}
	var err error
	a.founder, err = bootstrap.New(bootstrap.Config{
		ID: a.id, Name: a.cfg.Name, Expect: a.cfg.BootstrapExpect, Dir: filepath.Clean(dir),
		Roster: roster{a.gossip}, Caller: a, Found: a.found, Log: a.log, Registerer: a.cfg.Registerer,
	})
	return err
}

// found bootstraps raft with exactly these voters, whose addresses are their ids.
func (a *Agent) found(_ context.Context, set []string) error {
	var conf raft.Configuration
	for _, id := range set {
		conf.Servers = append(conf.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
	}
	if err := a.raft.BootstrapCluster(conf).Error(); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return fmt.Errorf("found the group: %w", err)
	}
	return nil
}

// roster is gossip as package bootstrap sees it.
type roster struct{ *gossip.Gossip }

// Seen are the members that have not left.
func (r roster) Seen() []bootstrap.Peer {
	var out []bootstrap.Peer
	for _, m := range r.Members() {
		if m.Status != gossip.Left {
			out = append(out, bootstrap.Peer{
				ID: m.ID, Name: m.Name, Expect: m.Expect, Alive: m.Status == gossip.Alive,
				Worker: m.Worker, HasLog: m.HasLog, Group: m.Group,
			})
		}
	}
	return out
}
