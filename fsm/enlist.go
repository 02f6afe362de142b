package fsm

import (
	"maps"
	"slices"
)

// Roll is what the proposer's replica holds about one cluster, all read at one index. It is only read here.
type Roll struct {
	View        *View                 // its Cluster is nil when it is not there yet
	Listings    []Listing             // of all discoveries
	Discoveries map[uint64]*Discovery // of those listings, and the one that runs
}

// Reading is what a run read about one cluster. A full run has one for every cluster it read or owns a listing of, since
// only a reading without records tells that a cluster has vanished.
type Reading struct {
	Discovery uint64
	Cluster   string
	Now       Time     // the claim's granted time
	Full      bool     // a full read: absences may count; a nudged one only adds and changes
	Hold      bool     // absences are held back this time: additions and changes still apply
	Records   []Record // this discovery's records of this cluster, checked, no duplicates
}

// Enlist compares a reading with the roll. The same reading enlisted again on its own result is zero. An enrolment that is
// not zero moves the cluster's version even without a fact, so that a run of another discovery that judged on the older
// picture is refused and judges again.
//
// Each listing moves only by its own discovery's full reads, and a node's sources, endpoint and presence follow from its
// listings. So readings of different discoveries give the same membership in whatever order they are applied, and a
// source that cannot be read moves nothing: its listings stand still, and a node it lists stays with them.
func Enlist(roll *Roll, r Reading) Enrolment {
	e := enlistFrom(roll, r.Discovery, r.Cluster)
	read := make(map[string]*Record, len(r.Records))
	for i := range r.Records {
		read[r.Records[i].Node] = &r.Records[i]
	}
	absences := r.Full && !r.Hold
	for _, node := range e.touched(r.Records, absences) {
		if rec := read[node]; rec != nil {
			e.listed(rec)
		} else {
			e.missed(node, r.Now)
		}
	}
	return e.finish(r.Now)
}

// Unlist is the enrolment of a deleted discovery: its listings go. A node that no other discovery lists goes with them when
// on_delete is remove and no operator said anything of it; else it stays, without a source, until it is forgotten.
func Unlist(roll *Roll, discovery uint64, now Time) Enrolment {
	name := ""
	if c := roll.View.Cluster; c != nil {
		name = c.Name
	}
	e := enlistFrom(roll, discovery, name)
	d := roll.Discoveries[discovery]
	for _, node := range e.touched(nil, true) {
		e.drop(node)
		n := e.view.Nodes[node]
		switch {
		case n == nil:
		case len(e.listings[node]) == 0 && d.Spec.OnDelete == OnDeleteRemove && !n.Word():
			e.tell(NodeRemoved, node, nil)
		default:
			e.relist(n)
		}
	}
	return e.finish(now)
}

// enlistment is an enrolment while it is computed, with the roll as it will be when the enrolment has been applied.
type enlistment struct {
	Enrolment
	discovery   uint64   // the one that runs
	owned       []string // nodes it has a listing of
	view        *View
	listings    map[string][]Listing // by node, of all discoveries
	discoveries map[uint64]*Discovery
}

func enlistFrom(roll *Roll, discovery uint64, cluster string) *enlistment {
	e := &enlistment{
		Enrolment: Enrolment{Cluster: cluster}, discovery: discovery,
		view: roll.View.Clone(), listings: make(map[string][]Listing, len(roll.View.Nodes)), discoveries: roll.Discoveries,
	}
	if c := roll.View.Cluster; c != nil {
		e.ID, e.Base = c.ID, c.Index
	}
	for _, l := range roll.Listings {
		e.listings[l.Node] = append(e.listings[l.Node], l)
		if l.Discovery == discovery {
			e.owned = append(e.owned, l.Node)
		}
	}
	return e
}

// touched is the sorted ids of the nodes a reading is about: those it lists and, where absences count, those the
// discovery owns.
func (e *enlistment) touched(records []Record, absences bool) []string {
	ids := make([]string, 0, len(records)+len(e.owned))
	for i := range records {
		ids = append(ids, records[i].Node)
	}
	if absences {
		ids = append(ids, e.owned...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// own is the running discovery's listing of a node, or nil.
func (e *enlistment) own(node string) *Listing {
	for i := range e.listings[node] {
		if l := &e.listings[node][i]; l.Discovery == e.discovery {
			return l
		}
	}
	return nil
}

// put sets the running discovery's listing of a node; one that is as it was is not written.
func (e *enlistment) put(l Listing) {
	l.Discovery, l.Cluster = e.discovery, 0
	old := e.own(l.Node)
	switch {
	case old == nil:
		e.listings[l.Node] = append(e.listings[l.Node], l)
	case sameListing(old, &l):
		return
	default:
		*old = l
	}
	e.Put = append(e.Put, l)
}

// drop takes the running discovery's listing of a node away.
func (e *enlistment) drop(node string) {
	e.listings[node] = slices.DeleteFunc(e.listings[node], func(l Listing) bool { return l.Discovery == e.discovery })
	e.Drop = append(e.Drop, node)
}

// tell folds a fact whose before is what the view holds; after is nil for what goes.
func (e *enlistment) tell(t EventType, node string, after Part) {
	f := Fact{Type: t, Node: node, After: after}
	l := lenses[t]
	f.Before = l.get(e.view, &f)
	l.set(e.view, &f, after)
	e.Facts = append(e.Facts, f)
}

// finish ends the enrolment: the cluster goes with its last node unless an operator set something on it, else what is
// derived from its nodes follows them.
func (e *enlistment) finish(now Time) Enrolment {
	switch c := e.view.Cluster; {
	case c == nil:
	case len(e.view.Nodes) == 0 && !c.Word():
		e.tell(ClusterRemoved, "", nil)
	default:
		e.Facts = append(e.Facts, Derive(e.view, now)...)
	}
	return e.Enrolment
}

// sameListing compares two listings of one node by one discovery.
func sameListing(a, b *Listing) bool {
	return a.AbsentSince == b.AbsentSince && a.AbsentReads == b.AbsentReads && a.LastRead == b.LastRead &&
		sameEndpoint(&a.Endpoint, &b.Endpoint)
}

// sameEndpoint compares as the encoding does: no labels are as good as none.
func sameEndpoint(a, b *Endpoint) bool {
	return a.Address == b.Address && a.Port == b.Port && a.Probe == b.Probe && maps.Equal(a.Labels, b.Labels)
}
