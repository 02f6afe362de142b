package httpd

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/musterhq/muster/fsm"
)

// propose sends a command to the leader; a refusal comes back as the error.
func (s *Server) propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	if err := s.confirm(ctx); err != nil {
		return fsm.Result{}, err
	}
	res, err := s.Log.Propose(ctx, c)
	if err == nil {
		err = res.Err()
	}
	return res, err
}

// look reads the state, linearizable, for a write that is computed from it, and confirms the token of who writes.
func (s *Server) look(ctx context.Context) (glance, error) {
	reader, _, err := s.Replica.Read(ctx, Default)
	if errors.Is(err, fsm.ErrUnavailable) { // it says how to read all the same, which helps no write
		return glance{}, fsm.Errorf(fsm.CodeUnavailable, "no leader confirmed what there is to change; it was not done, try again")
	}
	if err != nil {
		return glance{}, err
	}
	g := glance{Reader: reader, now: s.Clock.Now()}
	if p := passOf(ctx); p != nil {
		if err := p.good(reader, g.now); err != nil {
			return glance{}, err
		}
		p.confirmed = true
	}
	return g, nil
}

// recomputes is how often a change is computed again because its cluster moved meanwhile. Changes of one cluster that come
// at once share an entry of the log, where one of them wins; so those that lost take turns, and meet newcomers alone.
const recomputes = 16

// change is what a write would do to clusters. Without changes it is done already: at is then the index of the last change.
type change struct {
	changes []fsm.Change
	at      uint64
}

// changeClusters computes a change from the state and proposes it, all or nothing, again when a cluster has moved
// meanwhile: compute is then called again on the state as it is now, and checks again what it is to check.
func (s *Server) changeClusters(r *http.Request, compute func(glance) (change, error)) (Ack, error) {
	ack, err := s.changeOnce(r, compute)
	if !errors.Is(err, fsm.ErrStale) {
		return ack, err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-r.Context().Done():
		return Ack{}, err
	}
	for try := 0; try < recomputes && errors.Is(err, fsm.ErrStale); try++ {
		ack, err = s.changeOnce(r, compute)
	}
	return ack, err
}

func (s *Server) changeOnce(r *http.Request, compute func(glance) (change, error)) (Ack, error) {
	g, err := s.look(r.Context())
	if err != nil {
		return Ack{}, err
	}
	c, err := compute(g)
	if err != nil {
		return Ack{}, err
	}
	if len(c.changes) == 0 {
		return Ack{Index: c.at}, nil
	}
	res, err := s.propose(r.Context(), &fsm.ClusterChange{Changes: c.changes, Cause: causeOf(r)})
	if err != nil {
		return Ack{}, err
	}
	return Ack{Index: res.Index, Changed: true}, nil
}

// draft is a change of one cluster while facts are added to it.
type draft struct {
	view *fsm.View
	fsm.Change
}

func (g glance) draft(c *fsm.Cluster) *draft {
	return &draft{view: g.View(c.ID), Change: fsm.Change{Cluster: c.ID, Base: c.Index}}
}

// tell adds a fact.
func (d *draft) tell(f fsm.Fact) error {
	if err := fsm.Fold(d.view, f); err != nil {
		return err
	}
	d.Facts = append(d.Facts, f)
	return nil
}

// finish adds what follows: the cluster goes with its last node unless an operator set something on it, and what is
// derived from its nodes follows them.
func (d *draft) finish(now fsm.Time, emptied bool) (fsm.Change, error) {
	if c := d.view.Cluster; emptied && len(d.view.Nodes) == 0 && !c.Word() {
		err := d.tell(removal(c))
		return d.Change, err
	}
	for _, f := range fsm.Derive(d.view, now) {
		if err := d.tell(f); err != nil {
			return d.Change, err
		}
	}
	return d.Change, nil
}

// removal is the fact that a cluster is gone, with all that was agreed of it.
func removal(c *fsm.Cluster) fsm.Fact {
	return fsm.Fact{Type: fsm.ClusterRemoved, Before: &fsm.ClusterPart{
		Settings: c.Settings, Refresh: patchOf(c.Refresh), Health: c.Health, Reasons: c.Reasons, Versions: c.Versions,
		Primaries: c.Primaries,
	}}
}

// patchOf is a cluster's refresh settings as facts tell them: nothing when nothing is set.
func patchOf(p fsm.RefreshPatch) *fsm.RefreshPatch {
	if p == (fsm.RefreshPatch{}) {
		return nil
	}
	return &p
}

// parseCAS reads ?cas=, nil when it is not asked for.
func parseCAS(q url.Values) (*uint64, error) { return number(q, "cas") }

// casFails is the refusal of a write that was meant for another index.
func casFails(cas *uint64, at uint64) error {
	if cas == nil || *cas == at {
		return nil
	}
	return fsm.Errorf(fsm.CodeCAS, "the index is %d, not %d: read again and decide anew", at, *cas)
}

// askNow has a claim on a subject granted, and answers with it.
func (s *Server) askNow(w http.ResponseWriter, r *http.Request, g glance, subject fsm.Subject) error {
	res, err := s.Work.Ask(r.Context(), subject, causeOf(r))
	if err != nil {
		return err
	}
	var row ClaimRow
	if res.Claim != nil {
		row = g.claimRow(res.Claim)
	}
	if res.Error != nil {
		if res.Error.Code == fsm.CodeClaimed && res.Claim != nil {
			return &claimedError{refusal: res.Error, claim: row}
		}
		return res.Error
	}
	return s.reply(w, r, http.StatusAccepted, row)
}
