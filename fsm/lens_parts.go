package fsm

// wholeNode is the part that tells all of a node.
func wholeNode(n *Node) *NodePart {
	p := &NodePart{
		Endpoint: n.Endpoint, Sources: n.Sources, Presence: n.Presence, Lifecycle: n.Lifecycle,
		Settings: n.Settings, Reach: n.Reach, State: n.State, Muted: n.Muted,
	}
	if n.Answered() || !n.Said.isZero() { // a node may mismatch before it is first believed
		p.Said = &n.Said
	}
	if p.State == (Axis{Value: StateUnknown}) {
		p.State = Axis{}
	}
	return p
}

func getCluster(c *Cluster, _ *Fact) *ClusterPart {
	return &ClusterPart{
		Settings: c.Settings, Refresh: clusterSettings(c).Refresh,
		Health: c.Health, Reasons: c.Reasons, Versions: c.Versions, Primaries: c.Primaries,
	}
}

func setCluster(c *Cluster, _ *Fact, p *ClusterPart) {
	if p == nil {
		return
	}
	c.Settings, c.Refresh = p.Settings, RefreshPatch{}
	lay(&c.Refresh, p.Refresh)
	c.Health, c.Reasons, c.Versions, c.Primaries = p.Health, p.Reasons, p.Versions, p.Primaries
}

func clusterSettings(c *Cluster) *SettingsPart {
	p := &SettingsPart{Settable: c.Settings}
	if c.Refresh != (RefreshPatch{}) {
		r := c.Refresh
		p.Refresh = &r
	}
	return p
}

func getPrimary(c *Cluster, f *Fact) *PrimaryPart {
	p := c.Primary(f.Shard)
	if p == nil {
		return nil
	}
	return &PrimaryPart{Primary: p.Node, State: p.State, Nodes: p.Nodes, Since: p.Since}
}

func setPrimary(c *Cluster, f *Fact, p *PrimaryPart) {
	var row *Primary
	if p != nil {
		at := p.row(f.Shard)
		row = &at
	}
	c.Primaries = place(c.Primaries, row, f.Shard, func(p Primary) string { return p.Shard })
}

func getState(n *Node, f *Fact) *StatePart {
	p := &StatePart{State: n.State.Value, Reason: n.State.Reason, Detail: n.State.Detail, Since: n.State.Since}
	if first(f) {
		p.Said = &n.Said
	}
	return p
}

func setState(n *Node, f *Fact, p *StatePart) {
	n.State = Axis{p.State, p.Reason, p.Detail, p.Since}
	if first(f) && p.Said != nil {
		n.Said = *p.Said
	}
}

// first says whether f tells a node's first accepted answer, which carries all the node said.
func first(f *Fact) bool {
	b, _ := f.Before.(*StatePart)
	a, _ := f.After.(*StatePart)
	return b != nil && b.Said != nil || a != nil && a.Said != nil
}

func getShard(n *Node, f *Fact) *ShardPart {
	s := n.Shard(f.Shard)
	if s == nil {
		return nil
	}
	return &ShardPart{Role: s.Role, Offset: s.Offset, LagMS: s.LagMS}
}

func setShard(n *Node, f *Fact, p *ShardPart) {
	var row *Shard
	if p != nil {
		row = &Shard{ID: f.Shard, Role: p.Role, Offset: p.Offset, LagMS: p.LagMS}
		if old := n.Shard(f.Shard); old != nil {
			row.High = old.High
		}
	}
	n.Said.Shards = place(n.Said.Shards, row, f.Shard, func(s Shard) string { return s.ID })
}

// bearsLag says whether a shard's lag is past the limit, which is told by facts of its own.
func bearsLag(v *View, f *Fact) bool {
	s := v.Nodes[f.Node].Shard(f.Shard)
	return s != nil && s.High != nil
}

func getLag(n *Node, f *Fact) *LagPart {
	s := n.Shard(f.Shard)
	if s == nil {
		return nil
	}
	return &LagPart{High: s.High}
}

func setLag(n *Node, f *Fact, p *LagPart) {
	s := n.Shard(f.Shard)
	if s == nil || p == nil {
		return
	}
	row := *s
	row.High = p.High
	n.Said.Shards = place(n.Said.Shards, &row, f.Shard, func(s Shard) string { return s.ID })
}
