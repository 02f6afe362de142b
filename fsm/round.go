package fsm

import (
	"cmp"
	"slices"
	"strings"
)

// Round is what the polls of one claim brought. Reports are as Report.Bound leaves them and are read-only from here on:
// the facts Diff makes of them share their maps and pointers.
type Round struct {
	Now      Time        // the claim's granted time, never zero; every `since` comes from it
	Observed Time        // when the cluster was last refreshed before this round
	Peer     string      // id of the peer that polled
	Full     bool        // all polled nodes were asked; false for a confirming round, which lists only failed nodes
	Alone    bool        // no other ready peer could be given the confirming poll
	Spec     RefreshSpec // in force for the cluster
	Reports  []Report    // at most one per node; those about nodes that are not in the view or not polled are ignored
}

// ordered is the reports by node, one for each; what Diff says does not depend on the order in which answers came.
func (r *Round) ordered() []Report {
	byNode := func(a, b Report) int { return strings.Compare(a.Node, b.Node) }
	for i := 1; i < len(r.Reports); i++ {
		if r.Reports[i-1].Node >= r.Reports[i].Node {
			sorted := slices.Clone(r.Reports)
			slices.SortStableFunc(sorted, byNode)
			return slices.CompactFunc(sorted, func(a, b Report) bool { return a.Node == b.Node })
		}
	}
	return r.Reports
}

// downAfter is how many failed polls in a row make a node unreachable.
func (r *Round) downAfter() int { return max(r.Spec.DownAfter, 1) }

// SameNotes says whether two notes are equal; nil and empty are.
func SameNotes(a, b *Notes) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() && b.IsZero()
	}
	return slices.EqualFunc(a.Failures, b.Failures, sameFailure) && slices.Equal(a.Odd, b.Odd) && slices.Equal(a.Churn, b.Churn)
}

func sameFailure(a, b Failure) bool {
	return a.Node == b.Node && a.Count == b.Count && a.Observed == b.Observed && slices.Equal(a.Peers, b.Peers)
}

func byFailedNode(f Failure, node string) int { return strings.Compare(f.Node, node) }

// churnOf is the notes on one node's attributes; churn is sorted by node and attribute.
func churnOf(churn []Churn, node string) []Churn {
	from, found := slices.BinarySearchFunc(churn, node, func(c Churn, n string) int { return strings.Compare(c.Node, n) })
	if !found {
		return nil
	}
	to := from + 1
	for to < len(churn) && churn[to].Node == node {
		to++
	}
	return churn[from:to]
}

func byNodeThenAttribute(a, b Churn) int {
	return cmp.Or(strings.Compare(a.Node, b.Node), strings.Compare(a.Attribute, b.Attribute))
}
