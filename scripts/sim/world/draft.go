package world

import (
	"fmt"

	"github.com/musterhq/muster/fsm"
)

// draft is a change of a cluster while it is computed.
type draft struct {
	fsm.Change
	view *fsm.View
}

func (d *draft) tell(f fsm.Fact) bool {
	if fsm.Fold(d.view, f) != nil {
		return false
	}
	d.Facts = append(d.Facts, f)
	return true
}

// finish adds what follows from a change.
func (d *draft) finish(now fsm.Time) fsm.Command {
	if c := d.view.Cluster; len(d.view.Nodes) == 0 && !c.Word() {
		d.tell(fsm.Fact{Type: fsm.ClusterRemoved, Before: &fsm.ClusterPart{
			Settings: c.Settings, Health: c.Health, Reasons: c.Reasons, Versions: c.Versions, Primaries: c.Primaries,
		}})
	} else {
		for _, f := range fsm.Derive(d.view, now) {
			d.tell(f)
		}
	}
	return &fsm.ClusterChange{Changes: []fsm.Change{d.Change}, Cause: byOperator}
}

func (p *peer) draft() (*draft, *fsm.View) {
	c := p.someCluster()
	if c == nil {
		return nil, nil
	}
	return p.draftOf(c)
}

func (p *peer) draftOf(c *fsm.Cluster) (*draft, *fsm.View) {
	before := p.Read().View(c.ID)
	return &draft{fsm.Change{Cluster: c.ID, Base: c.Index}, before.Clone()}, before
}

func (p *peer) transition() fsm.Command {
	d, before := p.draft()
	if d == nil || len(before.Nodes) == 0 {
		return nil
	}
	id := pick(p.w, before.NodeIDs())
	to := pick(p.w, []fsm.Lifecycle{
		fsm.Commissioned, fsm.Commissioned, fsm.Commissioned, fsm.Maintenance, fsm.Decommissioned, fsm.Forgotten,
	})
	f, err := fsm.Transition(before.Nodes[id], to, p.w.chance(2))
	if err != nil || f == nil || !d.tell(*f) {
		return nil
	}
	if p.Read().Guarded(before, d.view, []string{id}) != nil {
		p.w.count.add("guard held a node back")
		return nil
	}
	return d.finish(p.Read().Meta().Time)
}

func (p *peer) label() fsm.Command {
	d, before := p.draft()
	if d == nil || len(before.Nodes) == 0 {
		return nil
	}
	n := before.Nodes[pick(p.w, before.NodeIDs())]
	next := fsm.Settable{}
	if p.w.chance(2) {
		next.Labels = map[string]string{"by": fmt.Sprint(p.w.rng.IntN(3))}
	}
	if next.Equal(n.Settings) || !d.tell(fsm.Fact{
		Type: fsm.NodeSettingsChanged, Node: n.ID, Before: &fsm.SettingsPart{Settable: n.Settings},
		After: &fsm.SettingsPart{Settable: next},
	}) {
		return nil
	}
	return d.finish(p.Read().Meta().Time)
}

func (p *peer) guard() fsm.Command {
	d, before := p.draft()
	if d == nil {
		return nil
	}
	next := fsm.Settable{}
	if p.w.chance(3) {
		next.Guards = []fsm.Guard{{MinCommissioned: 1 + p.w.rng.IntN(2)}}
	}
	if next.Equal(before.Cluster.Settings) || !d.tell(fsm.Fact{
		Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{Settable: before.Cluster.Settings},
		After: &fsm.SettingsPart{Settable: next},
	}) {
		return nil
	}
	return d.finish(p.Read().Meta().Time)
}
