package fsm

import "strings"

// CheckOn refuses an `on` that is not "any", a peer's name, or label=value.
func CheckOn(field, on string) error {
	k, v, ok := strings.Cut(on, "=")
	if on == "" || len(on) > MaxName || !printable(on) || ok && (k == "" || v == "") {
		return Invalid(field, "%q is none of: any, a peer's name, a label like zone=a", on)
	}
	return nil
}

// Allows says whether `on` lets a peer work: "any" lets every peer, label=value those that carry it, anything else the
// peer of that name.
func Allows(on string, p *Peer) bool {
	if on == OnAny || on == "" {
		return true
	}
	if k, v, ok := strings.Cut(on, "="); ok {
		return p.Labels[k] == v
	}
	return p.Name == on
}

// ParseNodeRef reads "cluster/id", splitting at the first "/".
func ParseNodeRef(field, s string) (NodeRef, error) {
	c, n, ok := strings.Cut(s, "/")
	if !ok {
		return NodeRef{}, Invalid(field, "%q is not cluster/id, like orders/orders-1", s)
	}
	if err := CheckClusterName(field, c); err != nil {
		return NodeRef{}, err
	}
	return NodeRef{Cluster: c, Node: n}, CheckNodeID(field, n)
}
