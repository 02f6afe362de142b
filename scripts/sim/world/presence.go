package world

import (
	"slices"

	"github.com/musterhq/muster/fsm"
)

type nodeKey struct {
	cluster uint64
	node    string
}

type listingKey struct {
	discovery, cluster uint64
	node               string
}

// absences is what full reads have missed, as counted from the reads themselves.
type absences struct {
	w      *World
	missed map[listingKey]*absence
	failed map[nodeKey]*failures

	enabled map[uint64]uint64 // by discovery, the index at which it was enabled again
}

// absence is the full good reads without a node since one listed it.
type absence struct {
	first, last fsm.Time
	reads       int
	token       uint64
}

func newAbsences(w *World) absences {
	return absences{w: w, missed: map[listingKey]*absence{}, failed: map[nodeKey]*failures{}, enabled: map[uint64]uint64{}}
}

// read takes note of what a source said to a run, and of whether its absences need be held back (I22): judged here by
// counting, on the replica that the run is about to judge on.
func (k *absences) read(p *peer, claim *fsm.Claim, records []fsm.Record, err error) {
	x := &read{failed: err != nil, lists: map[fsm.NodeRef]bool{}}
	for i := range records {
		x.failed = x.failed || records[i].Port < 1
		x.lists[fsm.NodeRef{Cluster: records[i].Cluster, Node: records[i].Node}] = true
	}
	a := k.w.askedOf(claim)
	a.reads = append(a.reads, x)
	r := p.Read()
	d := r.DiscoveryByID(claim.Subject.ID)
	if d == nil {
		return
	}
	owned := 0
	var absent []fsm.NodeRef
	for l := range r.Listed(d.ID) {
		owned++
		n, ref := r.Node(l.Cluster, l.Node), fsm.NodeRef{Cluster: r.ClusterByID(l.Cluster).Name, Node: l.Node}
		if !x.lists[ref] && !n.Word() {
			absent = append(absent, ref)
		}
	}
	few := len(absent) <= max(3, owned*int(d.Spec.MaxShrink)/100) && (len(x.lists) > 0 || owned == 0)
	released := d.Held != nil && d.Held.Released && !slices.ContainsFunc(absent, func(ref fsm.NodeRef) bool {
		return !slices.Contains(d.Held.Nodes, ref)
	})
	x.mayCount = few || released
}

// ran checks an accepted part of a run against what its source said.
func (k *absences) ran(c *committed, claim *fsm.Claim, run *fsm.RunComplete, res *fsm.Result) {
	d := c.before.DiscoveryByID(run.Discovery)
	if d.Deleting {
		k.deleted(c, claim, d)
		return
	}
	a := k.w.asked[claim.Ticket()]
	if a == nil || len(a.reads) == 0 {
		if run.Outcome != nil && run.Outcome.Error != "" && len(run.Enrolments) == 0 {
			return
		}
		k.w.fail("I21", "entry %d: run %d is told of and nothing was read", c.entry.index, claim.Token)
	}
	x := a.reads.good()
	if len(x) == 0 && (len(run.Enrolments) > 0 || run.Outcome == nil || run.Outcome.Error == "") {
		k.w.fail("I21", "entry %d: the source failed and run %d changes something", c.entry.index, claim.Token)
	}
	told := map[string]bool{}
	for _, e := range run.Enrolments {
		if !slices.ContainsFunc(res.Moved, func(m fsm.Moved) bool { return m.Cluster == e.Cluster }) {
			told[e.Cluster] = true
			k.enrolled(c, d, x, e, claim)
		}
	}
	if o := run.Outcome; o != nil && res.Closed && o.Error == "" && claim.Full() {
		k.untold(c, d, x, claim, told)
	}
	k.presence(c, d, claim)
}

// enrolled checks that only full good reads which need not be held back count absences (I22, I23), and only of what they did
// not list.
func (k *absences) enrolled(c *committed, d *fsm.Discovery, x reads, e fsm.Enrolment, claim *fsm.Claim) {
	absent := func(node, what string) {
		switch {
		case !claim.Full():
			k.w.fail("I23", "entry %d: a nudged run %s %s", c.entry.index, what, node)
		case !x.mayCount():
			k.w.fail("I22", "entry %d: run %d %s %s, and its absences are to be held back", c.entry.index, claim.Token, what, node)
		case !x.lacks(fsm.NodeRef{Cluster: e.Cluster, Node: node}):
			k.w.fail("I20", "entry %d: run %d %s %s, which it has read", c.entry.index, claim.Token, what, node)
		}
	}
	row := c.before.Cluster(e.Cluster)
	for _, l := range e.Put {
		if l.AbsentSince != 0 {
			absent(l.Node, "misses")
		} else if row != nil {
			delete(k.missed, listingKey{d.ID, row.ID, l.Node})
		}
	}
	for _, node := range e.Drop {
		absent(node, "drops")
	}
	if row == nil || !claim.Full() {
		return
	}
	for l := range c.before.Listings(row.ID) {
		if l.Discovery == d.ID && x.lacks(fsm.NodeRef{Cluster: e.Cluster, Node: l.Node}) {
			k.miss(listingKey{d.ID, row.ID, l.Node}, claim)
		}
	}
}

// untold counts what a full good read says of the clusters of which nothing had to be told.
func (k *absences) untold(c *committed, d *fsm.Discovery, x reads, claim *fsm.Claim, told map[string]bool) {
	for l := range c.before.Listed(d.ID) {
		row := c.before.ClusterByID(l.Cluster)
		key := listingKey{d.ID, l.Cluster, l.Node}
		switch {
		case told[row.Name]:
		case x.lacks(fsm.NodeRef{Cluster: row.Name, Node: l.Node}):
			k.miss(key, claim)
		case x.list(fsm.NodeRef{Cluster: row.Name, Node: l.Node}):
			delete(k.missed, key)
		}
	}
}

func (k *absences) miss(key listingKey, claim *fsm.Claim) {
	a := k.missed[key]
	if a == nil {
		a = &absence{first: claim.Granted}
		k.missed[key] = a
	}
	if a.token != claim.Token {
		a.token, a.last = claim.Token, claim.Granted
		a.reads++
	}
}

// gone says whether a discovery has missed a node long and often enough.
func (a *absence) gone(s *fsm.Spec) bool {
	if a == nil || a.reads < 2 || a.last.Sub(a.first) < s.MissingAfter {
		return false
	}
	return a.reads > 2 || a.last.Sub(a.first) <= 2*s.Interval
}

// presence checks that nodes are missing and removed only when they have been missed long and often enough (I20).
func (k *absences) presence(c *committed, d *fsm.Discovery, claim *fsm.Claim) {
	for e := range c.after.Events(c.before.Meta().Seq) {
		if e.Cause.Kind != fsm.CauseDiscovery || e.Cause.Token != claim.Token || e.Cause.Discovery != d.Name {
			continue
		}
		row := c.before.Cluster(e.Cluster)
		switch e.Type {
		case fsm.NodeMissing:
			for l := range c.before.NodeListings(row.ID, e.Node) {
				by := c.before.DiscoveryByID(l.Discovery)
				if by.Settings > claim.Token && k.enabled[by.ID] <= claim.Token { // judged by how long it had to wait then
					k.w.count.add("missing by older settings")
					continue
				}
				if a := k.missed[listingKey{by.ID, row.ID, e.Node}]; by.Spec.Enabled && !by.Deleting && !a.gone(&by.Spec) {
					k.w.fail("I20", "entry %d: run %d of %s finds %s missing; %s lists it so: %+v, and missed it %+v", c.entry.index,
						claim.Token, d.Name, e.Node, by.Name, l, a)
				}
			}
		case fsm.NodeRemoved:
			n, a := c.before.Node(row.ID, e.Node), k.missed[listingKey{d.ID, row.ID, e.Node}]
			if n.Word() || n.Lifecycle == fsm.Decommissioned {
				k.w.fail("I20", "entry %d: presence removes %s, of which an operator said something", c.entry.index, e.Node)
			}
			if !a.gone(&d.Spec) || claim.Granted.Sub(a.first) < d.Spec.RemoveAfter {
				k.w.fail("I20", "entry %d: %s is removed; %s missed it %+v", c.entry.index, e.Node, d.Name, a)
			}
			for l := range c.before.NodeListings(row.ID, e.Node) {
				if l.Discovery != d.ID {
					k.w.fail("I20", "entry %d: %s is removed and discovery %d lists it", c.entry.index, e.Node, l.Discovery)
				}
			}
		}
	}
}

// deleted checks that a deleted discovery takes along only what is its own and what nobody said anything of.
func (k *absences) deleted(c *committed, claim *fsm.Claim, d *fsm.Discovery) {
	for e := range c.after.Events(c.before.Meta().Seq) {
		if e.Type != fsm.NodeRemoved || e.Cause.Token != claim.Token || e.Cause.Discovery != d.Name {
			continue
		}
		row := c.before.Cluster(e.Cluster)
		others := 0
		for l := range c.before.NodeListings(row.ID, e.Node) {
			if l.Discovery != d.ID {
				others++
			}
		}
		if n := c.before.Node(row.ID, e.Node); d.Spec.OnDelete != fsm.OnDeleteRemove || n.Word() || others > 0 {
			k.w.fail("I20", "entry %d: %s goes with the deleted discovery %s", c.entry.index, e.Node, d.Name)
		}
	}
}
