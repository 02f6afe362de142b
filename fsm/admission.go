package fsm

import "slices"

// listed takes in a record: its discovery lists the node now. A node that is not there is let in as the discovery in force
// says; one that is there keeps the lifecycle its operators gave it, a decommissioned one too.
func (e *enlistment) listed(rec *Record) {
	e.put(Listing{Node: rec.Node, Endpoint: rec.Endpoint()})
	n := e.view.Nodes[rec.Node]
	if n == nil {
		e.admit(rec.Node)
		return
	}
	e.relist(n)
	if n.Presence == Missing {
		e.tell(NodeReturned, n.ID, &PresencePart{Presence: Present})
	}
}

// admit brings in a node, and its cluster when it is the first.
func (e *enlistment) admit(node string) {
	if e.view.Cluster == nil {
		e.tell(ClusterDiscovered, "", &ClusterPart{})
	}
	inForce := InForce(e.listings[node])
	lifecycle := Commissioned
	if d := e.discoveries[inForce.Discovery]; d != nil && d.Spec.Admission == AdmissionManual {
		lifecycle = Discovered
	}
	e.tell(NodeDiscovered, node, &NodePart{
		Endpoint: inForce.Endpoint, Sources: e.sources(node), Presence: Present, Lifecycle: lifecycle,
	})
}

// relist brings a node's endpoint and sources in line with its listings. A node without any keeps the endpoint it had.
func (e *enlistment) relist(n *Node) {
	part := &ListedPart{Endpoint: n.Endpoint, Sources: e.sources(n.ID)}
	if inForce := InForce(e.listings[n.ID]); inForce != nil {
		part.Endpoint = inForce.Endpoint
	}
	if !sameEndpoint(&part.Endpoint, &n.Endpoint) || !slices.Equal(part.Sources, n.Sources) {
		e.tell(NodeChanged, n.ID, part)
	}
}

// sources is the sorted names of the discoveries with a listing of the node, absent ones included.
func (e *enlistment) sources(node string) []string {
	var names []string
	for i := range e.listings[node] {
		if d := e.discoveries[e.listings[node][i].Discovery]; d != nil {
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	return names
}
