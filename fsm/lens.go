package fsm

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// lens is how one type of fact looks at the part of a view it owns. A type's get and set are all that Fold knows of it, so
// folding, unfolding and the check of `before` cannot disagree.
type lens struct {
	blank func() Part                     // an empty Part to decode into
	read  shape                           // how Parts are read that are written plainly
	get   func(v *View, f *Fact) Part     // the part as it stands; nil when it is not there
	set   func(v *View, f *Fact, to Part) // replace it; nil takes it away
	node  bool                            // it is told of a node, else of the cluster
	whole bool                            // the part is the node or the cluster itself, which need not be there
	goes  bool                            // the part may be taken away
	bears func(v *View, f *Fact) bool     // something that is told apart hangs on the part, which then may not be taken away
}

// entire marks a lens on the cluster itself, vanishing one on a part that may be taken away.
func entire(l *lens) *lens    { l.whole, l.goes = true, true; return l }
func vanishing(l *lens) *lens { l.goes = true; return l }

// lenses holds every type whose facts fold into views.
var lenses = map[EventType]*lens{}

func init() {
	register(entire(clusterLens(getCluster, setCluster)), ClusterDiscovered, ClusterRemoved)
	register(clusterLens(
		func(c *Cluster, _ *Fact) *HealthPart { return &HealthPart{Health: c.Health, Reasons: c.Reasons} },
		func(c *Cluster, _ *Fact, p *HealthPart) { c.Health, c.Reasons = p.Health, p.Reasons },
	), ClusterHealthChanged)
	register(clusterLens(
		func(c *Cluster, _ *Fact) *VersionsPart { return &VersionsPart{Versions: c.Versions} },
		func(c *Cluster, _ *Fact, p *VersionsPart) { c.Versions = p.Versions },
	), ClusterVersionsMixed, ClusterVersionsUniform)
	register(clusterLens(
		func(c *Cluster, _ *Fact) *SettingsPart { return clusterSettings(c) },
		func(c *Cluster, _ *Fact, p *SettingsPart) {
			c.Settings, c.Refresh = p.Settable, RefreshPatch{}
			lay(&c.Refresh, p.Refresh)
		},
	), ClusterSettingsChanged)
	register(vanishing(clusterLens(getPrimary, setPrimary)),
		ShardPrimaryChanged, ShardPrimaryLost, ShardPrimaryRestored, ShardPrimaryDuplicate)

	register(wholeLens, NodeDiscovered, NodeRemoved, NodeForgotten)
	register(nodeLens(
		func(n *Node, _ *Fact) *ListedPart { return &ListedPart{Endpoint: n.Endpoint, Sources: n.Sources} },
		func(n *Node, _ *Fact, p *ListedPart) { n.Endpoint, n.Sources = p.Endpoint, p.Sources },
	), NodeChanged)
	register(nodeLens(
		func(n *Node, _ *Fact) *PresencePart { return &PresencePart{Presence: n.Presence} },
		func(n *Node, _ *Fact, p *PresencePart) { n.Presence = p.Presence },
	), NodeMissing, NodeReturned)
	register(nodeLens(
		func(n *Node, _ *Fact) *LifecyclePart { return &LifecyclePart{Lifecycle: n.Lifecycle} },
		func(n *Node, _ *Fact, p *LifecyclePart) { n.Lifecycle = p.Lifecycle },
	), NodeCommissioned, NodeMaintenance, NodeResumed, NodeDecommissioned)
	register(nodeLens(
		func(n *Node, _ *Fact) *SettingsPart { return &SettingsPart{Settable: n.Settings} },
		func(n *Node, _ *Fact, p *SettingsPart) { n.Settings = p.Settable },
	), NodeSettingsChanged)
	register(nodeLens(
		func(n *Node, _ *Fact) *ReachPart {
			return &ReachPart{Reach: n.Reach.Value, Reason: n.Reach.Reason, Detail: n.Reach.Detail, Since: n.Reach.Since}
		},
		func(n *Node, _ *Fact, p *ReachPart) { n.Reach = Axis{p.Reach, p.Reason, p.Detail, p.Since} },
	), NodeUnreachable, NodeReachable)
	register(nodeLens(getState, setState), NodeUp, NodeDown, NodeJoining, NodeLeaving, NodeUnknown)
	register(nodeLens(
		func(n *Node, _ *Fact) *SoftwarePart {
			return &SoftwarePart{n.Said.Kind, n.Said.Version, n.Said.SidecarVersion, n.Said.Attributes}
		},
		func(n *Node, _ *Fact, p *SoftwarePart) {
			n.Said.Kind, n.Said.Version = p.Kind, p.Version
			n.Said.SidecarVersion, n.Said.Attributes = p.SidecarVersion, p.Attributes
		},
	), NodeInfoChanged)
	register(nodeLens(
		func(n *Node, _ *Fact) *MutedPart { return &MutedPart{Muted: n.Muted} },
		func(n *Node, _ *Fact, p *MutedPart) { n.Muted = p.Muted },
	), NodeAttributeMuted)
	register(nodeLens(
		func(n *Node, _ *Fact) *IdentityPart { return &IdentityPart{n.Said.Identity} },
		func(n *Node, _ *Fact, p *IdentityPart) { n.Said.Identity = p.Identity },
	), NodeIdentityMismatch, NodeIdentityMatched)
	shard := vanishing(nodeLens(getShard, setShard))
	shard.bears = bearsLag
	register(shard, ShardAdded, ShardChanged, ShardRemoved)
	register(nodeLens(getLag, setLag), ShardLagHigh, ShardLagOK)
}

func register(l *lens, types ...EventType) {
	l.read = shapeOf(reflect.TypeOf(l.blank()).Elem())
	for _, t := range types {
		lenses[t] = l
	}
}

// clusterLens lifts get and set of a cluster's row to a lens; set works on a copy of the row.
func clusterLens[P any, PP interface {
	*P
	Part
}](get func(*Cluster, *Fact) PP, set func(*Cluster, *Fact, PP)) *lens {
	return &lens{
		blank: func() Part { return PP(new(P)) },
		get: func(v *View, f *Fact) Part {
			if v.Cluster == nil {
				return nil
			}
			return orNil(get(v.Cluster, f))
		},
		set: func(v *View, f *Fact, to Part) {
			c := &Cluster{}
			if v.Cluster != nil {
				*c = *v.Cluster
			}
			v.Cluster = c
			p, _ := to.(PP)
			set(c, f, p)
			if to == nil && (f.Type == ClusterDiscovered || f.Type == ClusterRemoved) {
				v.Cluster = nil
			}
		},
	}
}

// nodeLens lifts get and set of a node's row to a lens; set works on a copy of the row.
func nodeLens[P any, PP interface {
	*P
	Part
}](get func(*Node, *Fact) PP, set func(*Node, *Fact, PP)) *lens {
	return &lens{
		node:  true,
		blank: func() Part { return PP(new(P)) },
		get: func(v *View, f *Fact) Part {
			n := v.Nodes[f.Node]
			if n == nil {
				return nil
			}
			return orNil(get(n, f))
		},
		set: func(v *View, f *Fact, to Part) {
			n := *v.Nodes[f.Node]
			p, _ := to.(PP)
			set(&n, f, p)
			v.Nodes[f.Node] = &n
		},
	}
}

func orNil[P any, PP interface {
	*P
	Part
}](p PP) Part {
	if p == nil {
		return nil
	}
	return p
}

var wholeLens = &lens{
	node: true, whole: true, goes: true,
	blank: func() Part { return new(NodePart) },
	get: func(v *View, f *Fact) Part {
		if n := v.Nodes[f.Node]; n != nil {
			return wholeNode(n)
		}
		return nil
	},
	set: func(v *View, f *Fact, to Part) {
		p, ok := to.(*NodePart)
		if !ok {
			delete(v.Nodes, f.Node)
			return
		}
		n := &Node{
			ID: f.Node, Endpoint: p.Endpoint, Sources: p.Sources, Presence: p.Presence, Lifecycle: p.Lifecycle,
			Settings: p.Settings, Reach: p.Reach, State: p.State, Muted: p.Muted,
		}
		if n.State.Value == "" {
			n.State.Value = StateUnknown
		}
		if p.Said != nil {
			n.Said = *p.Said
		}
		v.Nodes[f.Node] = n
	},
}

// place is a copy of rows, sorted by key, in which the row of that key is the given one, or gone when row is nil.
func place[T any](rows []T, row *T, key string, keyOf func(T) string) []T {
	i, found := slices.BinarySearchFunc(rows, key, func(r T, k string) int { return strings.Compare(keyOf(r), k) })
	out := make([]T, 0, len(rows)+1)
	out = append(out, rows[:i]...)
	if row != nil {
		out = append(out, *row)
	}
	if found {
		i++
	}
	out = append(out, rows[i:]...)
	if len(out) == 0 {
		return nil
	}
	return out
}

// lensOf is the lens of a type, or an error that names it.
func lensOf(t EventType) (*lens, error) {
	if l := lenses[t]; l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("%s is no fact of a view", t)
}
