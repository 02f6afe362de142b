package refresh

import (
	"context"
	"slices"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// Live asks all polled nodes of a cluster now and returns what they say, by node, storing nothing. It counts among the
// polls under way. The error is a *fsm.Error.
func (w *Worker) Live(ctx context.Context, name string) ([]fsm.Report, error) {
	r := w.cfg.Replica.Read()
	cluster := r.Cluster(name)
	if cluster == nil {
		return nil, fsm.Errorf(fsm.CodeNotFound, "there is no cluster %q", name)
	}
	round := w.newRound(r, cluster, &fsm.Claim{
		Subject: fsm.Subject{Kind: fsm.KindRefresh, ID: cluster.ID}, Reason: fsm.WhyAsked,
	})
	<-w.ask(ctx, round).done
	if round.failed != nil {
		return nil, fsm.Errorf(fsm.CodeUnavailable, "the nodes of %q could not be asked: %s", name, round.failed)
	}
	reports := round.reports()
	if len(reports) < len(round.asked) {
		return nil, fsm.Errorf(fsm.CodeUnavailable, "the nodes of %q could not all be asked: %s", name, context.Cause(ctx))
	}
	slices.SortFunc(reports, func(a, b fsm.Report) int { return strings.Compare(a.Node, b.Node) })
	return reports, nil
}

// Assign makes the grant of one subject that is wanted now, to the first ready peer in placement order that its `on` allows.
// The error is a *fsm.Error.
func Assign(r *fsm.Reader, s fsm.Subject, ready []*fsm.Peer) (*fsm.ClaimGrant, error) {
	e := entry{subject: s}
	switch {
	case s.Kind == fsm.KindRun && r.DiscoveryByID(s.ID) == nil, s.Kind == fsm.KindRefresh && r.ClusterByID(s.ID) == nil:
		return nil, fsm.Errorf(fsm.CodeNotFound, "there is no %s %d to be asked for", s.Kind, s.ID)
	case !settings(r, &e):
		return nil, fsm.Errorf(fsm.CodeConflict, "it is disabled: enable it first")
	}
	allowed := slices.DeleteFunc(slices.Clone(ready), func(p *fsm.Peer) bool { return !fsm.Allows(e.on, p) })
	if len(allowed) == 0 {
		return nil, fsm.Errorf(fsm.CodeUnavailable, "no ready peer is allowed by on = %q", e.on)
	}
	return &fsm.ClaimGrant{
		Kind: s.Kind, Peer: Place(s, allowed)[0].ID, TTL: e.ttl, Reason: fsm.WhyAsked, Alone: len(allowed) == 1,
		IDs: []uint64{s.ID},
	}, nil
}
