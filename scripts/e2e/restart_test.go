package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// roll is all that a peer's own replica holds.
type roll struct {
	Group, Epoch string
	Clusters     map[string]httpd.ClusterDetail
	Discoveries  []httpd.DiscoveryRow
	Settings     fsm.Settings
	Events       []httpd.Event
}

// readRoll reads a peer's replica.
func readRoll(ctx context.Context, p *rig.Peer) (roll, error) {
	self, err := p.API.Self(ctx)
	if err != nil {
		return roll{}, err
	}
	r := roll{Group: self.GroupID, Epoch: self.Epoch}
	if r.Clusters, err = allClusters(ctx, p); err != nil {
		return r, err
	}
	stale := httpd.Read{Stale: true}
	if r.Discoveries, err = httpd.All(ctx, httpd.List{Read: stale}, p.API.Discoveries); err != nil {
		return r, err
	}
	if r.Settings, _, err = p.API.Settings(ctx, stale); err != nil {
		return r, err
	}
	for after := ""; ; {
		page, err := p.API.Events(ctx, httpd.EventsQuery{After: after}, 1000)
		if err != nil || len(page.Rows) == 0 {
			return r, err
		}
		r.Events, after = append(r.Events, page.Rows...), page.Next
	}
}

// sameRoll fails the test where two rolls differ in more than the times of what is done over and over. Events that one has
// beyond the other's last are not compared.
func sameRoll(t *testing.T, what string, a, b roll) {
	t.Helper()
	n := min(len(a.Events), len(b.Events))
	a.Events, b.Events = a.Events[:n], b.Events[:n]
	if diff := cmp.Diff(a, b, cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(httpd.ClusterRow{}, "RefreshedAt", "NextRefresh", "Overdue"),
		cmpopts.IgnoreFields(httpd.ClusterDetail{}, "LastRefresh"),
		cmpopts.IgnoreFields(httpd.NodeRow{}, "ObservedAt", "Failures"),
		cmpopts.IgnoreFields(httpd.DiscoveryRow{}, "LastRun", "NextRun"),
	); diff != "" {
		t.Errorf("%s (-, +):\n%s", what, diff)
	}
}

// TestRestartElsewhere stops a whole group and starts it at other addresses, then loses a peer's disk, then gains a worker.
func TestRestartElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.fleet(48, 2)
	g := w.group()
	w.apply(g.Peers[0], "fleet", f.discovery())
	w.allHealthy(g.Peers[0], f.clusters)
	w.operate(g.Peers[1], f)
	w.act(f, "stop", f.cluster(3), f.node(3, 1))
	w.reason(g, f.cluster(3), f.node(3, 1), fsm.ReasonRefused)
	before := w.stillRoll(g.Peers[2], f)

	for _, p := range g.Peers {
		w.must(p.Stop())
		if err := p.Err(); err != nil {
			t.Errorf("%s was asked to stop and ended with %s", p.Name, err)
		}
		w.must(p.Move())
	}
	for _, p := range g.Peers {
		w.must(g.Enter(p))
	}
	w.must(g.Ready(w.soon()))
	for _, p := range g.Peers {
		after, err := readRoll(w.soon(), p)
		w.must(err)
		sameRoll(t, "before the restart and after it on "+p.Name, before, after)
		w.follows(before, after)
	}
	// The group works on: what is mended is noticed.
	w.act(f, "start", f.cluster(3), f.node(3, 1))
	w.onAllPeers(g, f.cluster(3), func(c httpd.ClusterDetail) error {
		if c.Health != fsm.HealthHealthy {
			return fmt.Errorf("%s %v", c.Health, c.Reasons)
		}
		return nil
	})

	w.replaceWiped(g, w.follower(g))
	w.addWorker(g)
}

// stillRoll reads a peer's replica when nothing has happened for two rounds of refreshes.
func (w *world) stillRoll(p *rig.Peer, f *fleet) roll {
	w.Helper()
	var r roll
	w.until("nothing to happen any more", func(ctx context.Context) error {
		before := w.lastCursor(p)
		w.laterRefresh(p, f.cluster(f.clusters-1), 2)
		var err error
		if r, err = readRoll(ctx, p); err == nil && w.lastCursor(p) != before {
			err = errors.New("there were more events")
		}
		return err
	})
	return r
}

// operate sets what must survive: groups, vars, labels and lifecycles.
func (w *world) operate(p *rig.Peer, f *fleet) {
	w.Helper()
	for i, patch := range []object{
		{"group": "blue", "vars": object{"limit": 3}}, {"group": "green", "labels": object{"zone": "b"}},
	} {
		_, err := p.API.PatchNode(w.soon(), fsm.NodeRef{Cluster: f.cluster(0), Node: f.node(0, i)}, patch, nil)
		w.must(err)
	}
	_, err := p.API.PatchCluster(w.soon(), f.cluster(1), object{"group": "night", "vars": object{"owner": "ops"}}, nil)
	w.must(err)
	for to, cluster := range map[fsm.Lifecycle]int{fsm.Decommissioned: 2, fsm.Maintenance: 4} {
		_, err := p.API.Transition(w.soon(), httpd.Transition{To: to, Nodes: []string{f.cluster(cluster) + "/" + f.node(cluster, 1)}})
		w.must(err)
	}
}

// follows checks that events go on where they ended: the old cursor is good, and the next event has the next number.
func (w *world) follows(before, after roll) {
	w.Helper()
	if len(after.Events) < len(before.Events) {
		w.Fatalf("there were %d events, now there are %d", len(before.Events), len(after.Events))
	}
	for i, e := range after.Events {
		if e.Seq != uint64(i+1) || e.Epoch != before.Epoch {
			w.Fatalf("event %d is %s:%d after the restart, want %s:%d", i, e.Epoch, e.Seq, before.Epoch, i+1)
		}
	}
}

// replaceWiped kills a peer, takes its disk away and starts it anew under its name: it must take the failed one's place and
// learn everything from the others.
func (w *world) replaceWiped(g *rig.Group, p *rig.Peer) {
	w.Helper()
	w.replaces(g, p, w.lose(p))
}

// lose kills a peer, takes its disk away and returns who it was.
func (w *world) lose(p *rig.Peer) httpd.Self {
	w.Helper()
	lost, err := p.API.Self(w.soon())
	w.must(err)
	p.Kill()
	w.must(p.Wipe())
	return lost
}

// replaces starts a lost peer anew under its name.
func (w *world) replaces(g *rig.Group, p *rig.Peer, lost httpd.Self) {
	w.Helper()
	w.must(g.Enter(p))
	other := g.Peers[0]
	if other == p {
		other = g.Peers[1]
	}
	w.until(p.Name+" to take the place of its namesake", func(ctx context.Context) error {
		conf, err := other.API.RaftConfiguration(ctx, httpd.Read{})
		if err != nil {
			return err
		}
		voters := 0
		for _, s := range conf.Servers {
			switch {
			case s.ID == lost.Member.ID:
				return errors.New("the lost peer is still among the servers")
			case s.Voter:
				voters++
			}
		}
		if voters != 3 || len(conf.Servers) != 3 {
			return fmt.Errorf("%d of %d servers vote", voters, len(conf.Servers))
		}
		return nil
	})
	w.must(g.Ready(w.soon()))
	w.until(p.Name+" to hold what "+other.Name+" holds", func(ctx context.Context) error {
		mine, err := p.API.Self(ctx)
		if err != nil {
			return err
		}
		if mine.Member.ID == lost.Member.ID {
			w.Errorf("the wiped peer has its old id %s", lost.Member.ID)
		}
		theirs, err := other.API.Self(ctx)
		if err == nil && mine.AppliedIndex < theirs.AppliedIndex {
			err = fmt.Errorf("it is at %d, the other at %d", mine.AppliedIndex, theirs.AppliedIndex)
		}
		return err
	})
	a, err := readRoll(w.soon(), other)
	w.must(err)
	b, err := readRoll(w.soon(), p)
	w.must(err)
	sameRoll(w.T, other.Name+" and the wiped "+p.Name, a, b)
}

// addWorker adds a peer that never votes: it must get claims and stay without a vote.
func (w *world) addWorker(g *rig.Group) {
	w.Helper()
	worker, err := g.Add("worker-1")
	w.must(err)
	w.must(g.Enter(worker, "-worker"))
	w.must(g.Ready(w.soon()))
	w.until("a refresh by the worker", func(ctx context.Context) error {
		shown, err := allClusters(ctx, g.Peers[0])
		if err != nil {
			return err
		}
		for _, c := range shown {
			if c.LastRefresh.Peer == worker.Name && c.LastRefresh.Error == "" {
				return nil
			}
		}
		return errors.New("every last refresh was another peer's")
	})
	conf, err := g.Peers[0].API.RaftConfiguration(w.soon(), httpd.Read{})
	w.must(err)
	for _, s := range conf.Servers {
		if s.Voter == (s.Name == worker.Name) {
			w.Errorf("server %s: voter %t", s.Name, s.Voter)
		}
	}
	members, err := g.Peers[0].API.Members(w.soon())
	w.must(err)
	for _, m := range members {
		if m.Name == worker.Name && m.Role != "worker" {
			w.Errorf("the worker's role is %q", m.Role)
		}
	}
	start := time.Now()
	w.must(worker.Stop())
	w.Logf("the worker stopped within %s", time.Since(start).Round(time.Millisecond))
}
