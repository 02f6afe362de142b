package refresh

import (
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

// said is what a node last said in full, with the tag it came with.
type said struct {
	tag    string
	report fsm.Report
}

// saidCache keeps what the nodes of recently refreshed clusters said, so that 304 can stand for it. It holds no node that
// was not asked for forgetAfter.
type saidCache struct {
	mu       sync.Mutex
	clusters map[uint64]*saidCluster
}

type saidCluster struct {
	used  time.Time
	nodes map[string]said
}

// forgetAfter is how long a cluster's answers are kept after its last refresh by this peer.
const forgetAfter = 10 * time.Minute

func (c *saidCache) of(cluster uint64, node string) said {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.clusters[cluster]; s != nil {
		s.used = time.Now()
		return s.nodes[node]
	}
	return said{}
}

// keep remembers what a node said; without a tag there is nothing to remember.
func (c *saidCache) keep(cluster uint64, node string, s said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row := c.clusters[cluster]
	switch {
	case s.tag == "" && row != nil:
		delete(row.nodes, node)
	case s.tag == "":
	case row == nil:
		if c.clusters == nil {
			c.clusters = map[uint64]*saidCluster{}
		}
		c.clusters[cluster] = &saidCluster{used: time.Now(), nodes: map[string]said{node: s}}
	default:
		row.nodes[node] = s
	}
}

// sweep drops what has not been used for long.
func (c *saidCache) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, s := range c.clusters {
		if time.Since(s.used) > forgetAfter {
			delete(c.clusters, id)
		}
	}
}
