package world

import (
	"slices"

	"github.com/musterhq/muster/fsm"
)

// failures is who has failed to reach a node since it last answered.
type failures struct {
	peers map[string]bool
	alone bool // a poll by the only peer there was is among them
}

// round is what the nodes really said in a round of a claim, with what a view says of those that were not waited for.
func (a *answers) round(c *fsm.Claim, v *fsm.View) fsm.Round {
	r := fsm.Round{
		Now: c.Granted, Peer: c.Peer, Full: c.Full(), Alone: c.Alone, Observed: a.seen, Spec: a.spec,
	}
	for _, id := range v.NodeIDs() {
		n := v.Nodes[id]
		report, ok := a.nodes[id]
		switch {
		case ok:
			r.Reports = append(r.Reports, report)
		case a.asked[id] && n.Polled() && n.Reach.Value == fsm.NotReachable:
			r.Reports = append(r.Reports, fsm.Unreachable(id, n.Reach.Reason, n.Reach.Detail))
		}
	}
	return r
}

// reported are the rounds of a claim that have come to their end. More than one were begun where its holder started anew.
func (a *asked) reported() (out []*answers) {
	for _, said := range a.rounds {
		if said.closed {
			out = append(out, said)
		}
	}
	return out
}

// unchanged checks that what was told as unchanged is so, whatever a tag stood for (I9).
func (k *checker) unchanged(c *committed, claim *fsm.Claim, asOf uint64) {
	k.w.count.add("done refresh unchanged")
	row := c.before.ClusterByID(claim.Subject.ID)
	if row == nil || c.after.ClusterByID(row.ID) == nil || c.after.ClusterByID(row.ID).Index > asOf {
		k.w.count.add("unchanged on a moved base")
		return
	}
	a := k.w.asked[claim.Ticket()]
	if a == nil {
		k.w.fail("I9", "entry %d: claim %d is unchanged and nobody asked", c.entry.index, claim.Token)
	}
	v, notes := c.before.View(row.ID), c.before.Schedule(claim.Subject).Notes
	why := "nothing"
	for _, said := range a.reported() {
		round := said.round(claim, v)
		facts, next := fsm.Diff(v, notes, round)
		if said.failed || len(facts) > 0 || !fsm.SameNotes(notes, next) {
			why = text(facts) + text(notes) + text(next)
			continue
		}
		k.answered(claim, a.reported(), v)
		return
	}
	k.w.fail("I9", "entry %d: cluster %s is told as unchanged; its nodes said %s", c.entry.index, row.Name, why)
}

// answered forgets the failures of nodes that have answered, and remembers those of the others. Of several rounds of a claim
// nobody knows which was reported.
func (k *checker) answered(claim *fsm.Claim, rounds []*answers, v *fsm.View) {
	for _, said := range rounds {
		for _, r := range said.round(claim, v).Reports {
			if r.Reachable && len(rounds) == 1 {
				delete(k.failed, nodeKey{claim.Subject.ID, r.Node})
			}
			if !r.Reachable {
				k.failure(nodeKey{claim.Subject.ID, r.Node}, claim)
			}
		}
	}
}

func (k *checker) failure(key nodeKey, claim *fsm.Claim) {
	f := k.failed[key]
	if f == nil {
		f = &failures{peers: map[string]bool{}}
		k.failed[key] = f
	}
	f.peers[claim.Peer] = true
	f.alone = f.alone || claim.Alone
}

// settling are the facts that may follow when one round is counted twice.
var settling = []fsm.EventType{
	fsm.NodeUnreachable, fsm.NodeAttributeMuted, fsm.ClusterHealthChanged, fsm.ShardPrimaryChanged, fsm.ShardPrimaryLost,
	fsm.ShardPrimaryRestored, fsm.ShardPrimaryDuplicate,
}

// refreshed checks an accepted part against what the nodes said.
func (k *checker) refreshed(c *committed, claim *fsm.Claim, done *fsm.RefreshComplete) {
	a := k.w.asked[claim.Ticket()]
	if a == nil {
		k.w.fail("I9", "entry %d: claim %d is completed and nobody asked", c.entry.index, claim.Token)
	}
	if done.Error != "" {
		if len(done.Facts) > 0 {
			k.w.fail("I9", "entry %d: a refresh that failed (%s) tells facts", c.entry.index, done.Error)
		}
		if !slices.ContainsFunc(a.rounds, func(s *answers) bool { return s.failed }) {
			k.w.fail("I9", "entry %d: what a refresh computed was refused: %s", c.entry.index, done.Error)
		}
		return
	}
	before := c.before.View(claim.Subject.ID)
	for _, f := range done.Facts {
		k.fact(c, claim, a, before, f)
	}
	if !done.Last {
		return
	}
	alone := true
	for _, command := range c.commands {
		switch x := command.(type) {
		case *fsm.RunComplete, *fsm.ClusterChange:
			alone = false
		case *fsm.RefreshComplete:
			alone = alone && (x == done || x.Cluster != done.Cluster)
		}
	}
	after := c.after.View(claim.Subject.ID)
	why := "nothing"
	for _, said := range a.reported() {
		round := said.round(claim, after)
		if alone {
			facts, _ := fsm.Diff(after, c.after.Schedule(claim.Subject).Notes, round)
			facts = slices.DeleteFunc(facts, func(f fsm.Fact) bool { return slices.Contains(settling, f.Type) })
			if len(facts) > 0 {
				why = text(facts)
				continue
			}
		}
		k.answered(claim, a.reported(), before) // a run in the same entry may have taken nodes away
		return
	}
	k.w.fail("I9", "entry %d: after a refresh of %s its nodes have still said %s", c.entry.index, after.Cluster.Name, why)
}

// fact checks those that one peer's failure must not lead to (I25b).
func (k *checker) fact(c *committed, claim *fsm.Claim, a *asked, v *fsm.View, f fsm.Fact) {
	switch f.Type {
	case fsm.NodeUnreachable:
		if n := v.Nodes[f.Node]; n.Reach.Value == fsm.NotReachable || claim.Alone {
			return
		}
		for _, said := range a.rounds {
			if said.spec.DownAfter < 2 {
				return
			}
		}
		peers, was := 1, k.failed[nodeKey{claim.Subject.ID, f.Node}]
		if was != nil {
			peers = len(was.peers)
			if !was.peers[claim.Peer] {
				peers++
			}
		}
		if peers < 2 && (was == nil || !was.alone) {
			k.w.fail("I25b", "entry %d: %s is unreachable by the word of %s alone, after %v; noted is %s", c.entry.index, f.Node,
				claim.Peer, was, text(c.before.Schedule(claim.Subject).Notes))
		}
	case fsm.ShardPrimaryLost, fsm.ShardPrimaryChanged, fsm.ShardPrimaryDuplicate, fsm.ShardPrimaryRestored:
		if !claim.Full() {
			k.w.fail("I25b", "entry %d: a confirming round tells %s", c.entry.index, f.Type)
		}
		known := v.Cluster.Primary(f.Shard)
		if f.Type != fsm.ShardPrimaryLost || known == nil {
			return
		}
		n := v.Nodes[known.Node]
		if n == nil || !n.Polled() || n.Reach.Value == fsm.NotReachable {
			return
		}
		for _, said := range a.rounds {
			if said.nodes[known.Node].Reachable {
				return
			}
		}
		if now := c.after.Node(claim.Subject.ID, known.Node); now == nil || now.Reach.Value != fsm.NotReachable {
			k.w.fail("I25b", "entry %d: %s lost its primary %s, which did not answer", c.entry.index, f.Shard, known.Node)
		}
	}
}
