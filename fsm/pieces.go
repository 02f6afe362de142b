package fsm

// FactsWithin is how many of the first facts encode to at most limit bytes; one at least, when there are any.
func FactsWithin(facts []Fact, limit int) int {
	size := 0
	for i, f := range facts {
		if size += len(mustEncode(f)); size > limit && i > 0 {
			return i
		}
	}
	return len(facts)
}

// Within is the enrolment cut to about limit bytes, and whether that is all of it. The cut is made between nodes, sorted by
// id; facts that are derived from all nodes, and the cluster's removal, are only in the whole, which is not cut where it has
// nothing else. Enlisting again on the
// result of a cut one gives the rest.
func (e *Enrolment) Within(limit int) (Enrolment, bool) {
	if len(mustEncode(e)) <= limit {
		return *e, true
	}
	sizes := map[string]int{}
	for _, f := range e.Facts {
		if f.Node != "" {
			sizes[f.Node] += len(mustEncode(f))
		}
	}
	for _, l := range e.Put {
		sizes[l.Node] += len(mustEncode(l))
	}
	for _, node := range e.Drop {
		sizes[node] += len(node) + 4
	}
	if len(sizes) == 0 {
		return *e, true
	}
	nodes := sortedKeys(sizes)
	total, n := sizes[nodes[0]], 1
	for n < len(nodes) && total+sizes[nodes[n]] <= limit {
		total += sizes[nodes[n]]
		n++
	}
	return e.first(nodes[n-1]), false
}

// first is the enrolment of the nodes up to and with last, with the cluster's discovery.
func (e *Enrolment) first(last string) Enrolment {
	out := Enrolment{Cluster: e.Cluster, ID: e.ID, Base: e.Base}
	for _, f := range e.Facts {
		if f.Type == ClusterDiscovered || f.Node != "" && f.Node <= last {
			out.Facts = append(out.Facts, f)
		}
	}
	for _, l := range e.Put {
		if l.Node <= last {
			out.Put = append(out.Put, l)
		}
	}
	for _, node := range e.Drop {
		if node <= last {
			out.Drop = append(out.Drop, node)
		}
	}
	return out
}

// Size is how many bytes the enrolment encodes to.
func (e *Enrolment) Size() int { return len(mustEncode(e)) }
