package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/fsm"
)

// part says which clusters a process plays, and how: all that a child is told.
type part struct {
	layout
	From    int    `json:"from"` // the first cluster
	Until   int    `json:"until"`
	Shards  int    `json:"shards"`
	Port    int    `json:"port"` // zero for any
	Each    bool   `json:"each"`
	Store   string `json:"store"`
	Version string `json:"version"`
}

// share is the clusters that this process plays.
type share struct {
	part
	log      *slog.Logger
	listener *net.TCPListener // shared; nil when each node has its own
	clusters []*cluster
	began    time.Time

	done    chan struct{} // closed when the end begins
	closing atomic.Bool   // set under every cluster's mu in turn; what is opened under a mu looks at it
	tasks   sync.WaitGroup

	unwell, connections, accepted, polls, notModified atomic.Int64
}

// openShare opens the listeners and makes the clusters; run or shut takes over from there. It takes the shared listener
// over, or opens one for each node when that is nil.
func openShare(ctx context.Context, p part, shared *net.TCPListener, log *slog.Logger) (*share, error) {
	s := &share{
		part: p, log: log, listener: shared, began: time.Now(),
		clusters: make([]*cluster, p.Until-p.From), done: make(chan struct{}),
	}
	if shared != nil {
		s.Port = shared.Addr().(*net.TCPAddr).Port
	}
	for i := range s.clusters {
		s.clusters[i] = newCluster(p.layout, p.From+i, p.Shards, s.Port)
	}
	for _, c := range s.clusters {
		if err := s.openCluster(ctx, c); err != nil {
			s.shut()
			return nil, err
		}
	}
	if shared != nil {
		s.tasks.Go(func() { s.accept(shared, nil) })
	}
	return s, nil
}

func (s *share) openCluster(ctx context.Context, c *cluster) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.nodes {
		n := &c.nodes[i]
		if err := s.publish(n, born); err != nil {
			return err
		}
		if s.Each {
			if err := s.openGate(ctx, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// run plays until ctx ends.
func (s *share) run(ctx context.Context) error {
	<-ctx.Done()
	s.shut()
	return nil
}

// shut closes all there is and waits for its end.
func (s *share) shut() {
	s.closing.Store(true)
	close(s.done)
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for _, c := range s.clusters {
		c.mu.Lock()
		for i := range c.nodes {
			n := &c.nodes[i]
			closeGate(n)
			for _, conn := range n.conns {
				_ = conn.Close()
			}
		}
		c.mu.Unlock()
	}
	s.tasks.Wait()
}

// port is where a node listens.
func (s *share) port(cluster, node int) int {
	if !s.Each || s.Port != 0 {
		return s.Port
	}
	c := s.clusters[cluster-s.From]
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[node].port
}

// at finds whose address it is; nil when nobody's here.
func (s *share) at(address net.Addr) *node {
	c, n, ok := s.layout.at(address.(*net.TCPAddr).AddrPort().Addr().Unmap())
	if !ok || c < s.From || c >= s.Until {
		return nil
	}
	return &s.clusters[c-s.From].nodes[n]
}

func (s *share) named(name string) (*cluster, error) {
	i, ok := s.cluster(name)
	if !ok || i < s.From || i >= s.Until {
		return nil, fsm.Errorf(fsm.CodeNotFound, "no cluster %q is played", name)
	}
	return s.clusters[i-s.From], nil
}

// Act implements stage.
func (s *share) Act(ctx context.Context, v Verb, a Action) (Cluster, error) {
	if err := v.check(&a); err != nil {
		return Cluster{}, err
	}
	c, err := s.named(a.Cluster)
	if err != nil {
		return Cluster{}, err
	}
	node, first, last := -1, 0, len(c.nodes)
	if a.Node != "" {
		i, ok := s.node(c.index, a.Node)
		if !ok {
			return Cluster{}, fsm.Errorf(fsm.CodeNotFound, "cluster %q has no node %q", a.Cluster, a.Node)
		}
		node, first, last = i, i, i+1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closing.Load() {
		return Cluster{}, fsm.Errorf(fsm.CodeUnavailable, "the fleet is being stopped")
	}
	if v == Failover {
		if node < 0 {
			node = c.primaries[0]
		}
		err = s.failover(c, node, &a)
	} else {
		for i := first; i < last && err == nil; i++ {
			err = s.change(ctx, &c.nodes[i], change{v, &a})
		}
	}
	if err != nil {
		return Cluster{}, err
	}
	return s.view(c), nil
}

// Cluster implements stage.
func (s *share) Cluster(_ context.Context, name string) (Cluster, error) {
	c, err := s.named(name)
	if err != nil {
		return Cluster{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.view(c), nil
}

// Counts implements stage.
func (s *share) Counts(context.Context) (Counts, error) {
	n := Counts{
		Clusters: len(s.clusters), Nodes: len(s.clusters) * s.Nodes, Processes: 1, Listen: ListenShared,
		Unwell: s.unwell.Load(), Connections: s.connections.Load(), Accepted: s.accepted.Load(),
		Polls: s.polls.Load(), NotModified: s.notModified.Load(),
	}
	if s.Each {
		n.Listen = ListenEach
	}
	return n.withShare(), nil
}

// later ends the time of two primaries. The caller holds c.mu.
func (s *share) later(c *cluster, wait Span) {
	s.tasks.Go(func() {
		timer := time.NewTimer(time.Duration(wait))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.done:
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.former = nil
		if err := s.republish(c); err != nil {
			s.log.Error("cannot end the time of two primaries", "cluster", s.clusterName(c.index), "error", fmt.Sprint(err))
		}
	})
}
