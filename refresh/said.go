package refresh

import (
	"maps"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

// said is what a node last said in full, with the tag it came with.
type said struct {
	from   string // prober and address: elsewhere the tag means something else
	tag    string
	report fsm.Report
	used   time.Time
}

// saidCache keeps what recently refreshed nodes said, so that 304 can stand for it. It holds no node that was not asked for
// forgetAfter.
type saidCache struct {
	mu       sync.Mutex
	clusters map[uint64]map[string]*said
}

// forgetAfter is how long a node's answer is kept after it was last asked by this peer.
const forgetAfter = 10 * time.Minute

func (c *saidCache) of(cluster uint64, node, from string) said {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.clusters[cluster][node]
	if s == nil || s.from != from {
		return said{}
	}
	s.used = time.Now()
	return *s
}

// keep remembers what a node said; without a tag there is nothing to remember.
func (c *saidCache) keep(cluster uint64, node string, s said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := c.clusters[cluster]
	if s.tag == "" {
		delete(nodes, node)
		return
	}
	if nodes == nil {
		if c.clusters == nil {
			c.clusters = map[uint64]map[string]*said{}
		}
		nodes = map[string]*said{}
		c.clusters[cluster] = nodes
	}
	s.used = time.Now()
	nodes[node] = &s
}

// sweep drops what has not been used for long.
func (c *saidCache) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, nodes := range c.clusters {
		maps.DeleteFunc(nodes, func(_ string, s *said) bool { return time.Since(s.used) > forgetAfter })
		if len(nodes) == 0 {
			delete(c.clusters, id)
		}
	}
}
