package world

import (
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// churns has the nodes of a cluster change, a refresh of it asked for, and an operator set labels on it again and again, so
// that a worker finds its base moved however often it compares.
func (a *adversary) churns() bool {
	w, h := a.w, a.w.log.holder
	if h == nil || h.sched == nil || h.over {
		return false
	}
	c := h.p.someCluster()
	if c == nil {
		return false
	}
	for _, n := range w.fleet.nodes {
		if n.ref.Cluster == c.Name {
			n.change(func() { n.state = pick(w, []string{fsm.StateUp, fsm.StateDown, fsm.StateJoining}) })
		}
	}
	r := h.p.Read()
	if grant, err := refresh.Assign(r, fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}, h.ready(r)); err == nil {
		cause := byOperator
		grant.Cause = &cause
		h.p.propose(grant, 1)
	}
	a.labels(h, c.ID, w.now+w.between(time.Second, 4*time.Second))
	return true
}

// labels sets labels on a cluster until a time, or until its leader leads no more.
func (a *adversary) labels(t *term, cluster uint64, until time.Duration) {
	w := a.w
	c := t.p.Read().ClusterByID(cluster)
	if t.over || !t.p.up || c == nil || w.now > until || a.resting {
		return
	}
	d, before := t.p.draftOf(c)
	if next := (fsm.Settable{Labels: map[string]string{"at": w.now.String()}}); d.tell(fsm.Fact{
		Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{Settable: before.Cluster.Settings},
		After: &fsm.SettingsPart{Settable: next},
	}) {
		t.add(&proposal{frame: fsm.Frame(d.finish(t.p.Read().Meta().Time))}, false)
	}
	w.after(w.between(4*time.Millisecond, 40*time.Millisecond), func() { a.labels(t, cluster, until) })
}

// mutes has what a peer reports be lost for a while, however often it sends it.
func (a *adversary) mutes() bool {
	p := a.some(1)
	if p == nil {
		return false
	}
	p.mute = a.w.now + a.w.between(time.Second, 20*time.Second)
	return true
}

// muted says whether a command is a report that nobody will hear.
func (p *peer) muted(c fsm.Command) bool {
	switch c.(type) {
	case *fsm.RefreshComplete, *fsm.RefreshUnchanged, *fsm.RunComplete:
		return p.mute > p.w.now
	}
	return false
}
