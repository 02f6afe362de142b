package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// TestLeaderKilled kills the leader three times in turn while primaries move and nodes die. What happened to the fleet must
// be told exactly once, in the same order, to followers of every peer, and fold into the same views.
func TestLeaderKilled(t *testing.T) {
	w := newWorld(t)
	f := w.fleet(40, 3)
	g := w.group()
	streams := map[*rig.Peer]*stream{}
	for _, p := range g.Peers {
		streams[p] = w.follow(p)
	}
	w.apply(g.Peers[0], "fleet", f.discovery())
	w.allHealthy(g.Peers[0], f.clusters)
	w.still(streams)
	mark := streams[g.Peers[0]].mark()

	const rounds, failovers, deaths = 3, 8, 2
	for round := range rounds {
		leader := w.leader(g)
		var survivor *rig.Peer
		for _, p := range g.Running() {
			if p != leader {
				survivor = p
			}
		}
		// Half of it happens before the leader dies, half after.
		moved := func(i int) int { return round*(failovers+deaths) + i }
		died := func(i int) int { return round*(failovers+deaths) + failovers + i }
		stir := func(half int) {
			for i := half * failovers / 2; i < (half+1)*failovers/2; i++ {
				w.act(f, "failover", f.cluster(moved(i)), "")
			}
			for i := half * deaths / 2; i < (half+1)*deaths/2; i++ {
				w.act(f, "stop", f.cluster(died(i)), f.node(died(i), 2))
			}
		}
		stir(0)
		leader.Kill()
		at := time.Now()
		stir(1)
		w.goesOn(survivor, f.clusters, leader.Name, at)

		s := streams[survivor]
		for i := range failovers {
			w.await(s, mark, want{fsm.ShardPrimaryChanged, f.cluster(moved(i)), ""})
		}
		for i := range deaths {
			w.await(s, mark, want{fsm.NodeUnreachable, f.cluster(died(i)), f.node(died(i), 2)})
			w.act(f, "start", f.cluster(died(i)), f.node(died(i), 2))
			w.await(s, mark, want{fsm.NodeReachable, f.cluster(died(i)), f.node(died(i), 2)})
		}
		w.must(leader.Start())
		w.must(g.Ready(w.soon()))
	}
	w.allHealthy(g.Peers[0], f.clusters)
	w.agreed(streams)

	s := streams[g.Peers[0]]
	for i := range rounds * (failovers + deaths) {
		if i%(failovers+deaths) < failovers {
			w.exactly(1, s, mark, want{fsm.ShardPrimaryChanged, f.cluster(i), ""})
			continue
		}
		w.exactly(1, s, mark, want{fsm.NodeUnreachable, f.cluster(i), f.node(i, 2)})
		w.exactly(1, s, mark, want{fsm.NodeReachable, f.cluster(i), f.node(i, 2)})
	}
	w.exactly(rounds*failovers, s, mark, want{kind: fsm.ShardPrimaryChanged})
	w.exactly(rounds*deaths, s, mark, want{kind: fsm.NodeUnreachable})
	for _, k := range []fsm.EventType{fsm.ShardPrimaryDuplicate, fsm.ShardPrimaryLost, fsm.NodeMissing, fsm.NodeIdentityMismatch} {
		w.exactly(0, s, mark, want{kind: k})
	}
}

// goesOn waits until refreshes that were granted after a moment are accepted, and tells how long that took.
func (w *world) goesOn(p *rig.Peer, clusters int, killed string, at time.Time) {
	w.Helper()
	var first time.Duration
	w.until("refreshes to go on after "+killed+" was killed", func(ctx context.Context) error {
		rows, err := httpd.All(ctx, httpd.List{Read: httpd.Read{Stale: true}, Limit: 1000}, p.API.Clusters)
		if err != nil {
			return err
		}
		later := 0
		for _, c := range rows {
			if c.RefreshedAt.Std().After(at) {
				later++
			}
		}
		if later > 0 && first == 0 {
			first = time.Since(at)
		}
		if later < clusters {
			return fmt.Errorf("%d of %d clusters were refreshed", later, clusters)
		}
		return nil
	})
	w.Logf("%s killed: the first refresh was accepted after %s, all %d clusters were refreshed after %s; promised are 3s and 5s",
		killed, first.Round(time.Millisecond), clusters, time.Since(at).Round(time.Millisecond))
	if first > 10*time.Second {
		w.Errorf("no refresh was accepted for %s after %s was killed", first, killed)
	}
}
