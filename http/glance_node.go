package httpd

import (
	"iter"
	"maps"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// Where a node's label comes from.
const (
	fromDiscovery = "discovery"
	fromOperator  = "operator"
)

// nodeTeller makes the rows of one cluster's nodes.
type nodeTeller struct {
	glance
	cluster  *fsm.Cluster
	schedule *fsm.Schedule
	sources  func(node string) []fsm.Source
}

func (g glance) nodesOf(c *fsm.Cluster) nodeTeller {
	return nodeTeller{glance: g, cluster: c, schedule: g.clusterSchedule(c), sources: g.Sources(c.ID)}
}

// nodeRows yields the rows of a cluster's nodes by id.
func (g glance) nodeRows(c *fsm.Cluster) iter.Seq[NodeRow] {
	return func(yield func(NodeRow) bool) {
		t := g.nodesOf(c)
		for n := range g.Nodes(c.ID) {
			if !yield(t.row(n)) {
				return
			}
		}
	}
}

// wordOf is what is agreed of a node, as a row: all of it but when it was seen and since when it is absent from its sources.
func wordOf(cluster string, n *fsm.Node) NodeRow {
	return NodeRow{
		Cluster: cluster, ID: n.ID, Address: n.Endpoint.Address, Port: n.Endpoint.Port, Probe: n.Endpoint.Probe,
		Labels: toldMap(n.Labels()), LabelSources: labelSources(n), Sources: []fsm.Source{},
		Presence: n.Presence, Lifecycle: n.Lifecycle, Group: n.Settings.Group, Vars: n.Settings.Vars,
		Reach: n.Reach, State: n.State, Kind: n.Said.Kind, Version: n.Said.Version, SidecarVersion: n.Said.SidecarVersion,
		Identity: n.Said.Identity, Shards: told(n.Said.Shards), Attributes: toldMap(n.Said.Attributes), Muted: n.Muted,
		Index: n.Index,
	}
}

// row makes a node's row.
func (t nodeTeller) row(n *fsm.Node) NodeRow {
	row := wordOf(t.cluster.Name, n)
	row.Sources = t.sources(n.ID)
	if !n.Polled() {
		return row
	}
	failure := t.schedule.Notes.Failure(n.ID)
	switch {
	case failure != nil:
		row.ObservedAt, row.Failures = failure.Observed, failure.Count
	case n.Answered():
		row.ObservedAt = t.schedule.Observed
	}
	return row
}

func labelSources(n *fsm.Node) map[string]string {
	out := make(map[string]string, len(n.Endpoint.Labels)+len(n.Settings.Labels))
	for k := range n.Endpoint.Labels {
		out[k] = fromDiscovery
	}
	for k := range n.Settings.Labels {
		out[k] = fromOperator
	}
	return out
}

func nodeSettings(n *fsm.Node) NodeSettings {
	return NodeSettings{Group: n.Settings.Group, Labels: toldMap(n.Settings.Labels), Vars: n.Settings.Vars}
}

// answerOf tells a report as JSON does.
func answerOf(r fsm.Report) Answer {
	if !r.Reachable {
		return Answer{Reach: fsm.Axis{Value: fsm.NotReachable, Reason: r.Reason, Detail: r.Detail}}
	}
	return Answer{
		Reach:    fsm.Axis{Value: fsm.Reachable},
		State:    fsm.Axis{Value: r.State, Reason: r.StateReason, Detail: r.StateDetail},
		Identity: fsm.Identity{Node: r.NodeID, Cluster: r.ClusterID},
		Kind:     r.Kind, Version: r.Version, SidecarVersion: r.SidecarVersion, Shards: r.Shards, Attributes: r.Attributes,
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
