package agent

import (
	"context"
	"slices"
	"time"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/life"
	httpd "github.com/musterhq/muster/http"
)

// askPlace is how often a peer without a leader asks whether it still has a place in the group.
const askPlace = 5 * time.Second

// watchPlace ends a peer that the group has gone on without. Nobody tells it: raft stops talking to who is removed, and who
// was away finds the others deaf. So a peer that knows no leader asks those that gossip knows.
func (a *Agent) watchPlace(ctx context.Context) error {
	for range life.Beats(ctx, askPlace) {
		if a.leaders.ID() == "" && a.raft.LastIndex() > 0 && !a.draining.Load() && a.displaced(ctx) {
			return errRemoved
		}
	}
	return nil
}

// displaced says whether some peer leads and its raft configuration does not have this one.
func (a *Agent) displaced(ctx context.Context) bool {
	for _, m := range a.gossip.Members() {
		if m.ID == a.id || m.Status != gossip.Alive {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		var conf httpd.RaftConfiguration
		err := a.ask(ctx, m.ID, callRaft.path, nothing{}, &conf) // only a leader answers
		cancel()
		if err == nil {
			return !slices.ContainsFunc(conf.Servers, func(s httpd.RaftServer) bool { return s.ID == a.id })
		}
	}
	return false
}
