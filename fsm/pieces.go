package fsm

// FactsWithin is how many of the first facts encode to at most max bytes; one at least, when there are any.
func FactsWithin(facts []Fact, max int) int {
	size := 0
	for i, f := range facts {
		if size += len(mustEncode(f)); size > max && i > 0 {
			return i
		}
	}
	return len(facts)
}

// Pieces cuts an enrolment into ones that encode to about max bytes each, node by node. The first has the cluster's own
// discovery, the last its derived facts and its removal. All carry the first one's id and base: whoever sends them sets
// those of a later piece to what the one before it left.
func (e *Enrolment) Pieces(max int) []Enrolment {
	if len(mustEncode(e)) <= max {
		return []Enrolment{*e}
	}
	byNode := map[string]*Enrolment{}
	at := func(node string) *Enrolment {
		if byNode[node] == nil {
			byNode[node] = &Enrolment{}
		}
		return byNode[node]
	}
	var head, tail []Fact
	for _, f := range e.Facts {
		switch {
		case f.Node != "":
			at(f.Node).Facts = append(at(f.Node).Facts, f)
		case f.Type == ClusterDiscovered:
			head = append(head, f)
		default:
			tail = append(tail, f)
		}
	}
	for _, l := range e.Put {
		at(l.Node).Put = append(at(l.Node).Put, l)
	}
	for _, node := range e.Drop {
		at(node).Drop = append(at(node).Drop, node)
	}
	out := []Enrolment{{Cluster: e.Cluster, ID: e.ID, Base: e.Base, Facts: head}}
	size := 0
	for _, node := range sortedKeys(byNode) {
		n := byNode[node]
		if size += len(mustEncode(n)); size > max {
			out = append(out, Enrolment{Cluster: e.Cluster, ID: e.ID, Base: e.Base})
			size = len(mustEncode(n))
		}
		last := &out[len(out)-1]
		last.Put, last.Drop = append(last.Put, n.Put...), append(last.Drop, n.Drop...)
		last.Facts = append(last.Facts, n.Facts...)
	}
	last := &out[len(out)-1]
	last.Facts = append(last.Facts, tail...)
	return out
}
