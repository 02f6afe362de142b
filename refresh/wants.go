package refresh

import (
	"github.com/musterhq/muster/fsm"
)

// wants is how a subject is to be done, as read at one index of the state. To read it costs more than all else a grant does,
// so it is read again only where it may have moved.
type wants struct {
	on       string // which peers may do it
	interval fsm.Duration
	ttl      fsm.Duration
	read     uint64 // the index it was read at
	nodes    int32  // that a full round polls; one for a run
	enabled  bool
	deleting bool // the run that takes a deleted discovery's records away
}

// edition is how far a state is, and up to where the rows that wants are read from have moved.
type edition struct {
	index, clusters, discoveries uint64
}

func editionOf(r *fsm.Reader) edition {
	return edition{r.Meta().Index, r.Wait(fsm.SetClusters).Index, r.Wait(fsm.SetDiscoveries).Index}
}

// settle reads what a subject wants unless that is known: nodes and listings move their cluster's version, and the defaults
// move a discovery. Whatever moves them touches the subject.
func (e *entry) settle(r *fsm.Reader, now edition) {
	known := e.read != 0 && e.subject.Kind == fsm.KindRefresh && now.discoveries <= e.read &&
		(now.clusters <= e.read || r.ClusterByID(e.subject.ID).Index <= e.read)
	if !known {
		settings(r, e)
	}
	e.read = now.index
}

// settings reads how a subject is to be done; false when it is not.
func settings(r *fsm.Reader, e *entry) bool {
	e.wants = wantsOf(r, e.subject)
	return e.enabled
}

func wantsOf(r *fsm.Reader, s fsm.Subject) wants {
	if s.Kind == fsm.KindRun {
		d := r.DiscoveryByID(s.ID)
		if d.Deleting {
			return wants{on: fsm.OnAny, interval: d.Spec.Interval, ttl: runTTL, nodes: 1, enabled: true, deleting: true}
		}
		return wants{on: d.Spec.On, interval: d.Spec.Interval, ttl: runTTL, nodes: 1, enabled: d.Spec.Enabled}
	}
	spec := r.RefreshOf(r.ClusterByID(s.ID))
	w := wants{on: spec.On, interval: spec.Interval, ttl: max(minTTL, 3*spec.Timeout+5*fsm.Second), enabled: spec.Enabled}
	for node := range r.Nodes(s.ID) {
		if node.Polled() {
			w.nodes++
		}
	}
	return w
}
