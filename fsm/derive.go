package fsm

import (
	"slices"
	"strings"
)

// Why a cluster is not healthy: the codes of its reasons. They name no node or shard, so that health changes only when
// its kind does. A counted node that is not well gives one: the first of unreachable, mismatched, never answered, its
// state.
const (
	BecauseIdentityMismatch  = "identity_mismatch"
	BecauseLagHigh           = "lag_high" // a shard of a counted node
	BecauseNeverAnswered     = "never_answered"
	BecauseNoCountedNodes    = "no_counted_nodes" // the only one, where it holds
	BecauseNodeDown          = "node_down"
	BecauseNodeJoining       = "node_joining"
	BecauseNodeLeaving       = "node_leaving"
	BecauseNodeUnknown       = "node_unknown"
	BecauseNodeUnreachable   = "node_unreachable"
	BecausePrimaryDuplicated = "primary_duplicated"
	BecausePrimaryLost       = "primary_lost"
)

// becauses are all reasons, sorted; a set of them is a word of bits.
var becauses = [...]string{
	BecauseIdentityMismatch, BecauseLagHigh, BecauseNeverAnswered, BecauseNoCountedNodes, BecauseNodeDown,
	BecauseNodeJoining, BecauseNodeLeaving, BecauseNodeUnknown, BecauseNodeUnreachable, BecausePrimaryDuplicated,
	BecausePrimaryLost,
}

type reasons uint16

func (r *reasons) add(reason string) {
	i, _ := slices.BinarySearch(becauses[:], reason)
	*r |= 1 << i
}

// equal compares with a sorted list.
func (r reasons) equal(list []string) bool {
	n := 0
	for i, reason := range becauses {
		if r&(1<<i) == 0 {
			continue
		}
		if n == len(list) || list[n] != reason {
			return false
		}
		n++
	}
	return n == len(list)
}

func (r reasons) list() []string {
	var out []string
	for i, reason := range becauses {
		if r&(1<<i) != 0 {
			out = append(out, reason)
		}
	}
	return out
}

// Derive returns the facts about a cluster that follow from its nodes, versions before health, by comparing what follows
// with what is stored: whoever proposes next mends what an abandoned proposer left. Every proposer that changes nodes or
// primaries folds its facts and appends these. Derived facts carry no time today; now is there for one that will.
//
// Only counted nodes are looked at: commissioned and present. The versions are the set of what they said. Health is
// unknown when there are none or none ever answered, down when none is well, degraded when one is not well, lags past the
// limit, or a shard's primary is lost or double, and healthy otherwise. A node whose identity mismatches is not well: its
// state is an old word for which nobody there answers.
func Derive(v *View, _ Time) []Fact {
	c := v.Cluster
	if c == nil {
		return nil
	}
	var facts []Fact
	t := tally{}
	var room [4]string
	t.versions = room[:0]
	for _, n := range v.Nodes {
		if n.Counted() {
			t.count(n)
		}
	}
	if !slices.Equal(t.versions, c.Versions) {
		kind := ClusterVersionsUniform
		if len(t.versions) > 1 {
			kind = ClusterVersionsMixed
		}
		facts = append(facts, Fact{
			Type: kind, Before: &VersionsPart{c.Versions}, After: &VersionsPart{append([]string(nil), t.versions...)},
		})
	}
	health := t.health(c.Primaries)
	if health != c.Health || !t.why.equal(c.Reasons) {
		facts = append(facts, Fact{
			Type: ClusterHealthChanged, Before: &HealthPart{c.Health, c.Reasons}, After: &HealthPart{health, t.why.list()},
		})
	}
	return facts
}

// tally is what is counted over the nodes of a cluster, in whatever order they come.
type tally struct {
	counted, answered, well int
	why                     reasons
	versions                []string // sorted set
}

func (t *tally) count(n *Node) {
	t.counted++
	if n.Answered() {
		t.answered++
	}
	if reason := unwell(n); reason != "" {
		t.why.add(reason)
	} else {
		t.well++
	}
	for i := range n.Said.Shards {
		if n.Said.Shards[i].High != nil {
			t.why.add(BecauseLagHigh)
		}
	}
	if n.Said.Version == "" {
		return
	}
	if i, found := slices.BinarySearchFunc(t.versions, n.Said.Version, strings.Compare); !found {
		t.versions = slices.Insert(t.versions, i, n.Said.Version)
	}
}

// unwell says why a node is not well, or nothing.
func unwell(n *Node) string {
	switch {
	case n.Reach.Value == NotReachable:
		return BecauseNodeUnreachable
	case n.Said.Identity.Mismatch:
		return BecauseIdentityMismatch
	case n.Well():
		return ""
	case !n.Answered():
		return BecauseNeverAnswered
	}
	switch n.State.Value {
	case StateDown:
		return BecauseNodeDown
	case StateJoining:
		return BecauseNodeJoining
	case StateLeaving:
		return BecauseNodeLeaving
	}
	return BecauseNodeUnknown
}

func (t *tally) health(primaries []Primary) string {
	if t.counted == 0 {
		t.why.add(BecauseNoCountedNodes)
		return HealthUnknown
	}
	for i := range primaries {
		switch primaries[i].State {
		case PrimaryLost:
			t.why.add(BecausePrimaryLost)
		case PrimaryDuplicated:
			t.why.add(BecausePrimaryDuplicated)
		}
	}
	switch {
	case t.answered == 0:
		t.why.add(BecauseNeverAnswered)
		return HealthUnknown
	case t.well == 0:
		return HealthDown
	case t.why != 0:
		return HealthDegraded
	}
	return HealthHealthy
}
