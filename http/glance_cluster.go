package httpd

import (
	"iter"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// clusterRow makes a cluster's row.
func (g glance) clusterRow(c *fsm.Cluster) ClusterRow {
	row := pictureOf(c, g.Gists(c.ID))
	schedule := g.clusterSchedule(c)
	row.RefreshedAt = schedule.Observed
	if spec := g.RefreshOf(c); spec.Enabled {
		due := g.due(schedule, spec.Interval)
		row.NextRefresh, row.Overdue = due.next, due.overdue
	}
	return row
}

// unsketched are the fields of a cluster's row that take more to make than a look at the cluster.
var unsketched = []string{"nodes", "shards", "primaries", "kinds", "refreshed_at", "next_refresh", "overdue"}

// clusterSketch is a cluster's row without those.
func clusterSketch(c *fsm.Cluster) ClusterRow {
	return ClusterRow{
		Name: c.Name, Health: c.Health, Reasons: told(c.Reasons), Group: c.Settings.Group,
		Labels: toldMap(c.Settings.Labels), Kinds: []string{}, Versions: told(c.Versions), Index: c.Index,
	}
}

// pictureOf is what is agreed of a cluster, as a row: all of it but when it is refreshed.
func pictureOf(c *fsm.Cluster, nodes iter.Seq[*fsm.Node]) ClusterRow {
	row := clusterSketch(c)
	shards := map[string]bool{}
	for n := range nodes {
		row.Nodes.count(n)
		if n.Counted() {
			row.Kinds = sortedSet(row.Kinds, n.Said.Kind)
		}
		if n.Polled() {
			for i := range n.Said.Shards {
				shards[n.Said.Shards[i].ID] = true
			}
		}
	}
	for i := range c.Primaries {
		shards[c.Primaries[i].Shard] = true
		if c.Primaries[i].State == "" {
			row.Primaries++
		}
	}
	row.Shards = len(shards)
	return row
}

// count takes in one node.
func (c *Counts) count(n *fsm.Node) {
	c.Total++
	switch n.Lifecycle {
	case fsm.Discovered:
		c.Pending++
	case fsm.Maintenance:
		c.Maintenance++
	case fsm.Decommissioned:
		c.Decommissioned++
	}
	if n.Presence == fsm.Missing {
		c.Missing++
	}
	switch {
	case !n.Counted():
	case n.Well():
		c.Well++
	default:
		c.Unwell++
	}
}

// clusterDetail makes all there is to tell of a cluster.
func (g glance) clusterDetail(c *fsm.Cluster) ClusterDetail {
	return ClusterDetail{
		ClusterRow: g.clusterRow(c), Settings: clusterSettings(c), Nodes: slices.Collect(g.nodeRows(c)),
		Shards: shardsOf(c, g.Gists(c.ID)), LastRefresh: g.work(g.clusterSchedule(c)),
	}
}

func clusterSettings(c *fsm.Cluster) ClusterSettings {
	return ClusterSettings{
		Group: c.Settings.Group, Labels: toldMap(c.Settings.Labels), Vars: c.Settings.Vars,
		Guards: told(c.Settings.Guards), Refresh: c.Refresh,
	}
}

// shardsOf makes a cluster's shards, by id: those that its polled nodes hold and those that ever had a primary.
func shardsOf(c *fsm.Cluster, nodes iter.Seq[*fsm.Node]) []ShardRow {
	rows := map[string]*ShardRow{}
	of := func(id string) *ShardRow {
		if rows[id] == nil {
			rows[id] = &ShardRow{ID: id, Nodes: []ShardNode{}}
		}
		return rows[id]
	}
	for n := range nodes {
		if !n.Polled() {
			continue
		}
		for _, s := range n.Said.Shards {
			row := of(s.ID)
			row.Nodes = append(row.Nodes, ShardNode{Node: n.ID, Role: s.Role, Offset: s.Offset, LagMS: s.LagMS, High: s.High})
		}
	}
	for _, p := range c.Primaries {
		row := of(p.Shard)
		row.Primary, row.State = p.Node, p.State
	}
	out := make([]ShardRow, 0, len(rows))
	for _, id := range sortedKeys(rows) {
		out = append(out, *rows[id])
	}
	return out
}
