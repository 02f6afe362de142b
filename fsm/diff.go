package fsm

import (
	"slices"
	"strings"
)

// Diff compares a round with the view and the notes as they stand. It returns the facts, which fold over v in their order,
// and the notes after the round, nil when nothing is to be noted; v and notes are not changed, and notes that stay as they
// are come back as they were given. No facts and the same notes mean that the cluster is unchanged: a round applied to
// what it left is always unchanged once what is counted (failed polls, odd rounds, churning attributes) has been counted.
//
// What a node says of itself is taken at once and by code: free text beside a reason never makes a fact. What can be a
// fault of the asking is counted first:
//
//   - down_after failed polls in a row make a node unreachable; its last state, info and shards stay. One peer's failures
//     count once until another peer's poll has failed too, unless no other peer could ask. From then on the fault is not
//     one peer's, and every failure counts, or a down_after above the number of peers could never be reached.
//   - What answers for a store that it cannot ask itself (storeless) tells the state alone: the rest stays the last word.
//   - What a node says while its identity mismatches (identify) is not taken, except that it could be reached.
//   - A primary must be missing or double in two full rounds in a row (primaries).
//   - An attribute that changes in five rounds running is muted (churn).
//
// Facts come by node, for each in the order reach, identity, state, info, shards; then primaries by shard; then what
// follows from them (Derive).
func Diff(v *View, notes *Notes, r Round) ([]Fact, *Notes) {
	if v.Cluster == nil {
		return nil, nil
	}
	d := diff{Round: r, view: v}
	if notes != nil {
		d.was = *notes
	}
	d.Reports = d.ordered()
	for i := range d.Reports {
		if n := v.Nodes[d.Reports[i].Node]; n != nil && n.Polled() {
			d.hear(n, &d.Reports[i])
		}
	}
	if d.Full {
		d.primaries()
	} else {
		d.now.Odd = d.was.Odd
	}
	d.facts = append(d.facts, Derive(d.view, d.Now)...)
	return d.facts, d.noted(notes)
}

// diff is one comparison under way.
type diff struct {
	Round
	view   *View // as the facts so far leave it
	own    bool  // view is a copy of the caller's
	facts  []Fact
	was    Notes      // before the round
	now    Notes      // after it; not yet sorted
	claims []claimant // who said in this round that it is primary of what
	seats  []Fact     // about who leads, by shard; folded together
	unheld int        // shards without a claim that no polled node holds
}

// tell makes a fact and folds it: its before is what the view holds.
func (d *diff) tell(t EventType, node, shard string, after Part) {
	if !d.own {
		d.view, d.own = d.view.Clone(), true
	}
	f := Fact{Type: t, Node: node, Shard: shard, After: after}
	f.Before = lenses[t].get(d.view, &f)
	lenses[t].set(d.view, &f, after)
	d.facts = append(d.facts, f)
}

// hear takes one node's report; n is the node as it was before the round.
func (d *diff) hear(n *Node, rep *Report) {
	if !rep.Reachable {
		d.missed(n, rep)
		return
	}
	if n.Reach.Value != Reachable {
		d.tell(NodeReachable, n.ID, "", &ReachPart{Reach: Reachable, Since: d.Now})
	}
	if !d.identify(n, rep) {
		return
	}
	shards := orderedShards(rep.Shards)
	switch {
	case n.Answered() && rep.storeless():
		d.state(n, rep, nil)
	case n.Answered():
		d.state(n, rep, nil)
		d.software(n, rep)
		d.shards(n, shards)
	default:
		d.firstAnswer(n, rep, shards)
	}
	if rep.State != StateDown { // what is down leads nothing, whatever it was
		d.claim(n.ID, shards)
	}
}

// missed counts a failed poll. The counter stops at down_after, so that a node that stays dead changes nothing more;
// only another reason makes another fact.
func (d *diff) missed(n *Node, rep *Report) {
	f := Failure{Node: n.ID, Observed: d.Observed}
	if i, found := slices.BinarySearchFunc(d.was.Failures, n.ID, byFailedNode); found {
		f = d.was.Failures[i]
	}
	i, again := slices.BinarySearch(f.Peers, d.Peer)
	if f.Count < d.downAfter() && (!again || d.Alone || len(f.Peers) > 1) {
		f.Count++
		if !again {
			f.Peers = slices.Insert(slices.Clone(f.Peers), i, d.Peer)
		}
	}
	d.now.Failures = append(d.now.Failures, f)
	if f.Count >= d.downAfter() && (n.Reach.Value != NotReachable || n.Reach.Reason != rep.Reason) {
		d.tell(NodeUnreachable, n.ID, "", &ReachPart{
			Reach: NotReachable, Reason: rep.Reason, Detail: rep.Detail, Since: d.Now,
		})
	}
}

// state takes the node's word about itself. Said is set for a first answer only, which is told whatever the state is.
func (d *diff) state(n *Node, rep *Report, said *Said) {
	if said == nil && n.State.Value == rep.State && n.State.Reason == rep.StateReason {
		return
	}
	d.tell(stateEvent(rep.State), n.ID, "", &StatePart{
		State: rep.State, Reason: rep.StateReason, Detail: rep.StateDetail, Since: d.Now, Said: said,
	})
}

// firstAnswer tells all that a node says the first time it is believed, in the fact of its state. Lags past the limit
// are told apart, since they end apart.
func (d *diff) firstAnswer(n *Node, rep *Report, shards []Shard) {
	said := &Said{
		Identity: d.judge(n, rep), Kind: rep.Kind, Version: rep.Version, SidecarVersion: rep.SidecarVersion,
		Attributes: followed(nil, rep.Attributes, nil), Shards: slices.Clone(shards),
	}
	for i := range said.Shards {
		said.Shards[i].High = nil
	}
	d.state(n, rep, said)
	for i := range shards {
		d.lag(n.ID, nil, &shards[i])
	}
}

// report is what a node answered in this round, nil when it was not asked.
func (d *diff) report(node string) *Report {
	i, ok := slices.BinarySearchFunc(d.Reports, node, func(r Report, id string) int { return strings.Compare(r.Node, id) })
	if !ok {
		return nil
	}
	return &d.Reports[i]
}

// polled is the node as the view now holds it, nil when it is gone or no longer asked.
func (d *diff) polled(node string) *Node {
	if n := d.view.Nodes[node]; n != nil && n.Polled() {
		return n
	}
	return nil
}

// believed says whether the node answered in this round and its answer was taken.
func (d *diff) believed(node string) bool {
	n, rep := d.polled(node), d.report(node)
	return n != nil && rep != nil && rep.Reachable && !n.Said.Identity.Mismatch
}

// noted puts the notes of this round together: what was found in it, and what was noted of nodes it brought nothing of,
// as long as they are polled. It returns was when nothing is different.
func (d *diff) noted(was *Notes) *Notes {
	for _, f := range d.was.Failures {
		if d.polled(f.Node) != nil && d.report(f.Node) == nil {
			d.now.Failures = append(d.now.Failures, f)
		}
	}
	for _, c := range d.was.Churn {
		if d.polled(c.Node) != nil && !d.believed(c.Node) {
			d.now.Churn = append(d.now.Churn, c)
		}
	}
	slices.SortFunc(d.now.Failures, func(a, b Failure) int { return strings.Compare(a.Node, b.Node) })
	slices.SortFunc(d.now.Churn, byNodeThenAttribute)
	switch {
	case d.now.IsZero():
		return nil
	case SameNotes(was, &d.now):
		return was
	}
	now := d.now
	return &now
}
