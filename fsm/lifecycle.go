package fsm

// Lifecycle says whether an operator has let a node in.
type Lifecycle string

// The words of Lifecycle. Forgotten is only ever the target of a transition.
const (
	Discovered     Lifecycle = "discovered"
	Commissioned   Lifecycle = "commissioned"
	Maintenance    Lifecycle = "maintenance"
	Decommissioned Lifecycle = "decommissioned"
	Forgotten      Lifecycle = "forgotten"
)

// transition says what a change of lifecycle asks for.
type transition struct {
	event   EventType
	present bool // only while present, or with force
	missing bool // only while missing or without a source, or with force
}

// transitions is the whole table: what is not in it is forbidden. A node already there is fine and changes nothing.
var transitions = map[Lifecycle]map[Lifecycle]transition{
	Discovered: {
		Commissioned:   {event: NodeCommissioned, present: true},
		Decommissioned: {event: NodeDecommissioned},
	},
	Commissioned: {
		Maintenance:    {event: NodeMaintenance},
		Decommissioned: {event: NodeDecommissioned},
	},
	Maintenance: {
		Commissioned:   {event: NodeResumed},
		Decommissioned: {event: NodeDecommissioned},
	},
	Decommissioned: {
		Commissioned: {event: NodeCommissioned, present: true},
		Forgotten:    {event: NodeForgotten, missing: true},
	},
}

// Transition is the fact of moving a node to another lifecycle; nil when it is there already. The error is a conflict that
// says why the node may not.
func Transition(n *Node, to Lifecycle, force bool) (*Fact, error) {
	if n.Lifecycle == to {
		return nil, nil
	}
	t, ok := transitions[n.Lifecycle][to]
	switch {
	case !ok && to == Forgotten && len(n.Sources) == 0:
		// A node that no source lists any more can be reached by no other verb.
		t = transition{event: NodeForgotten}
	case !ok:
		return nil, Errorf(CodeConflict, "is %s, from where it cannot become %s", n.Lifecycle, to)
	case t.present && n.Presence != Present && !force:
		return nil, Errorf(CodeConflict, "is missing; use force to make it %s all the same", to)
	case t.missing && n.Presence != Missing && len(n.Sources) > 0 && !force:
		return nil, Errorf(CodeConflict, "is still listed; use force to forget it all the same")
	}
	if to == Forgotten {
		return &Fact{Type: t.event, Node: n.ID, Before: wholeNode(n)}, nil
	}
	return &Fact{
		Type: t.event, Node: n.ID,
		Before: &LifecyclePart{Lifecycle: n.Lifecycle}, After: &LifecyclePart{Lifecycle: to},
	}, nil
}
