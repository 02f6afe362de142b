package fleet

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/musterhq/muster/fsm"
)

// cluster is one that is played.
type cluster struct {
	index int

	mu        sync.Mutex
	nodes     []node // the slice never changes; its nodes' fields as they say
	primaries []int  // by shard
	former    []int  // by shard: who goes on saying primary after a failover; empty when nobody does
}

type node struct {
	cluster *cluster
	index   int
	address netip.Addr
	answer  atomic.Pointer[answer] // written under the cluster's mu

	// Under the cluster's mu:
	port  int
	conns []*net.TCPConn
	gate  *net.TCPListener // nil with the shared listener, and while it refuses
}

func (s *share) id(n *node) string { return s.nodeID(n.cluster.index, n.index) }

func shardID(k int) string { return strconv.Itoa(k) }

func newCluster(l layout, index, shards, port int) *cluster {
	c := &cluster{index: index, nodes: make([]node, l.Nodes), primaries: make([]int, shards)}
	for k := range c.primaries {
		c.primaries[k] = k % l.Nodes
	}
	for i := range c.nodes {
		n := &c.nodes[i]
		n.cluster, n.index, n.address, n.port = c, i, l.address(index, i), port
	}
	return c
}

// publish makes n answer as in next, with the roles it has now. The caller holds the cluster's mu.
func (s *share) publish(n *node, next condition) error {
	c := n.cluster
	a := &answer{condition: next, primary: make([]bool, len(c.primaries))}
	for k, p := range c.primaries {
		a.primary[k] = p == n.index || len(c.former) > 0 && c.former[k] == n.index
		a.follows = a.follows || !a.primary[k]
	}
	d := s.document(n, a, s.began)
	var err error
	if a.etag, err = d.ETag(); err != nil {
		return err
	}
	before := born
	if old := n.answer.Swap(a); old != nil {
		before = old.condition
	}
	switch {
	case before == born && next != born:
		s.unwell.Add(1)
	case before != born && next == born:
		s.unwell.Add(-1)
	}
	return nil
}

// republish makes all nodes answer with the roles they have now.
func (s *share) republish(c *cluster) error {
	for i := range c.nodes {
		n := &c.nodes[i]
		if err := s.publish(n, n.answer.Load().condition); err != nil {
			return err
		}
	}
	return nil
}

// failover hands the shards that from is primary of to the next well node. The caller holds c.mu.
func (s *share) failover(c *cluster, from int, a *Action) error {
	if len(c.former) > 0 {
		return fsm.Errorf(fsm.CodeConflict, "cluster %q still has two primaries; wait until that is over", a.Cluster)
	}
	to := -1
	for i := 1; i < len(c.nodes) && to < 0; i++ {
		if n := (from + i) % len(c.nodes); c.nodes[n].answer.Load().well() {
			to = n
		}
	}
	if to < 0 {
		return fsm.Errorf(fsm.CodeConflict, "cluster %q has no other node that is well", a.Cluster)
	}
	former, moved := make([]int, len(c.primaries)), false
	for k, p := range c.primaries {
		former[k] = -1
		if p == from {
			former[k], c.primaries[k], moved = from, to, true
		}
	}
	if !moved {
		return fsm.Errorf(fsm.CodeConflict, "node %q is primary of nothing", s.nodeID(c.index, from))
	}
	if a.TwoPrimaries > 0 {
		c.former = former
		s.later(c, a.TwoPrimaries)
	}
	return s.republish(c)
}

// view says how c is being played. The caller holds c.mu.
func (s *share) view(c *cluster) Cluster {
	v := Cluster{Name: s.clusterName(c.index), Nodes: make([]Node, len(c.nodes))}
	for i := range c.nodes {
		n := &c.nodes[i]
		a := n.answer.Load()
		row := Node{
			ID: s.id(n), Address: n.address.String(), Port: n.port, Listed: !a.removed,
			Manner: string(a.manner), State: a.state, Reason: a.reason, NodeID: a.says, Delay: Span(a.delay),
			Roles: make(map[string]string, len(a.primary)), Connections: len(n.conns),
		}
		if row.NodeID == "" {
			row.NodeID = row.ID
		}
		if a.lagged {
			row.LagMS = &a.lagMS
		}
		for k, primary := range a.primary {
			row.Roles[shardID(k)] = fsm.RoleReplica
			if primary {
				row.Roles[shardID(k)] = fsm.RolePrimary
			}
		}
		v.Nodes[i] = row
	}
	return v
}
