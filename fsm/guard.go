package fsm

import (
	"fmt"
	"strings"
)

const maxGuards = 16 // of one cluster

// Guard keeps operators from taking too much of a cluster away at once: a transition that leaves fewer nodes than a minimum,
// or more in maintenance than a maximum, and makes that worse than it was, is refused unless it is forced. It is judged where
// the change is computed; whatever else happens to nodes is not a transition and passes it.
type Guard struct {
	Group           string `cbor:"1,keyasint,omitempty" json:"group,omitempty"` // of nodes; empty for all of the cluster
	MinCommissioned int    `cbor:"2,keyasint,omitempty" json:"min_commissioned,omitempty"`
	MinWell         int    `cbor:"3,keyasint,omitempty" json:"min_well,omitempty"` // commissioned, present, reachable and up
	MaxMaintenance  int    `cbor:"4,keyasint,omitempty" json:"max_maintenance,omitempty"`
}

func checkGuards(guards []Guard) error {
	if len(guards) > maxGuards {
		return Invalid("guards", "holds %d guards; at most %d are allowed", len(guards), maxGuards)
	}
	for i, g := range guards {
		field := fmt.Sprintf("guards[%d]", i)
		if g.Group != "" {
			if err := CheckClusterName(field+".group", g.Group); err != nil {
				return err
			}
		}
		if g == (Guard{Group: g.Group}) {
			return Invalid(field, "guards nothing; set min_commissioned, min_well or max_maintenance")
		}
		for _, n := range []struct {
			key   string
			value int
		}{
			{"min_commissioned", g.MinCommissioned}, {"min_well", g.MinWell}, {"max_maintenance", g.MaxMaintenance},
		} {
			if n.value < 0 || n.value > MaxNodes {
				return Invalid(field+"."+n.key, "%d is not between 1 and %d", n.value, MaxNodes)
			}
		}
	}
	return nil
}

// guarded is what guards count of a group.
type guarded struct{ commissioned, well, maintenance int }

func (g *guarded) count(n *Node) {
	switch {
	case n.Lifecycle == Maintenance:
		g.maintenance++
	case n.Lifecycle == Commissioned:
		g.commissioned++
		if n.Counted() && n.Well() {
			g.well++
		}
	}
}

// Guarded judges the move of some of a cluster's nodes, from before to after, by the cluster's guards. It returns, for each
// of the moved nodes that a guard holds back, why; nil when none does.
func (r *Reader) Guarded(before, after *View, moved []string) map[string]string {
	var guards []Guard
	for _, l := range r.Layers(before.Cluster, nil) {
		if len(l.Guards) > 0 {
			guards = l.Guards
		}
	}
	if len(guards) == 0 {
		return nil
	}
	group := make(map[string]string, len(before.Nodes))
	for id, n := range before.Nodes {
		group[id] = GroupOf(r.Layers(before.Cluster, n))
	}
	refused := map[string]string{}
	for _, g := range guards {
		in := func(id string) bool { return g.Group == "" || group[id] == g.Group }
		var was, is guarded
		for id, n := range before.Nodes {
			if in(id) {
				was.count(n)
			}
		}
		for id, n := range after.Nodes {
			if in(id) {
				is.count(n)
			}
		}
		why := g.against(was, is)
		for _, id := range moved {
			if why != "" && in(id) {
				refused[id] = why
			}
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return refused
}

// against says what of the guard would not hold any more; empty when all does, or was no better before.
func (g Guard) against(was, is guarded) string {
	var why []string
	least := func(want, was, is int, what string) {
		if is < want && is < was {
			why = append(why, fmt.Sprintf("at least %d %s (%d would be left)", want, what, is))
		}
	}
	least(g.MinCommissioned, was.commissioned, is.commissioned, "commissioned")
	least(g.MinWell, was.well, is.well, "well")
	if g.MaxMaintenance > 0 && is.maintenance > g.MaxMaintenance && is.maintenance > was.maintenance {
		why = append(why, fmt.Sprintf("at most %d in maintenance (%d would be)", g.MaxMaintenance, is.maintenance))
	}
	if len(why) == 0 {
		return ""
	}
	of := ""
	if g.Group != "" {
		of = fmt.Sprintf(" in group %q", g.Group)
	}
	return "a guard wants " + strings.Join(why, "; ") + of + "; force passes it"
}
