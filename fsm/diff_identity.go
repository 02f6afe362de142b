package fsm

import "cmp"

// identify takes what the node says it is and returns whether its report is believed. A mismatch is told once, and again
// when what the node says changes.
func (d *diff) identify(n *Node, rep *Report) bool {
	is := n.Said.Identity
	want := d.judge(n, rep)
	switch {
	case want == is:
	case want.Mismatch:
		d.tell(NodeIdentityMismatch, n.ID, "", &IdentityPart{want})
	case is.Mismatch || n.Answered():
		d.tell(NodeIdentityMatched, n.ID, "", &IdentityPart{want})
	}
	return !want.Mismatch
}

// judge is a node's identity after a report. What a node says first is pinned; an id it has not said yet is pinned when it
// does. Saying nothing contradicts nothing, so a store that is down, or a prober that cannot know, is no mismatch; only
// under strict must a node say the id it is listed under. Strict holds the cluster's id to the pin as pinned does, since
// clusters are listed under names that stores do not know. Off never mismatches, and what a mismatched node says then is
// pinned anew: so an operator accepts a node that was rebuilt.
func (d *diff) judge(n *Node, rep *Report) Identity {
	pin, says := n.Said.Identity, Identity{Node: rep.NodeID, Cluster: rep.ClusterID}
	was := pin.Mismatch
	pin.Mismatch, pin.SaysNode, pin.SaysCluster = false, "", ""
	switch d.Spec.Identity {
	case IdentityOff:
		if was {
			return Identity{Node: cmp.Or(says.Node, pin.Node), Cluster: cmp.Or(says.Cluster, pin.Cluster)}
		}
	case IdentityStrict:
		if says.Node != n.ID || contradicts(says.Cluster, pin.Cluster) {
			return mismatch(pin, says)
		}
		pin.Node = says.Node
	default:
		if contradicts(says.Node, pin.Node) || contradicts(says.Cluster, pin.Cluster) {
			return mismatch(pin, says)
		}
	}
	return Identity{Node: cmp.Or(pin.Node, says.Node), Cluster: cmp.Or(pin.Cluster, says.Cluster)}
}

func contradicts(says, pin string) bool { return says != "" && pin != "" && says != pin }

func mismatch(pin, says Identity) Identity {
	return Identity{Node: pin.Node, Cluster: pin.Cluster, Mismatch: true, SaysNode: says.Node, SaysCluster: says.Cluster}
}
