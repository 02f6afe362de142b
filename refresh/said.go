package refresh

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

// stand is where a cluster stood when a round of it began. Two rounds that began at equal ones and were told the same would
// change the same: all that a comparison depends on is in it.
type stand struct {
	epoch   string
	version uint64 // Cluster.Index
	spec    fsm.RefreshSpec
	notes   *fsm.Notes
}

func (s *stand) equal(o *stand) bool {
	return s.version == o.version && s.epoch == o.epoch && s.spec == o.spec && fsm.SameNotes(s.notes, o.notes)
}

// question is a node to ask, and which kind of prober is to ask it.
type question struct {
	Target
	kind string
}

// told is what a node said in a round that changed nothing: a report with this tag, or, without one, why it failed.
type told struct{ tag, reason string }

// said is what the nodes of a cluster said in a full round that changed nothing.
type said struct {
	stand
	asked []question // the nodes that are asked at this version; read-only
	told  []told     // by each of them
	used  time.Time
}

// whole says whether every node can be asked whether it still says the same.
func (s *said) whole() bool {
	return !slices.Contains(s.told, told{})
}

// saidCache remembers the tags of recently refreshed clusters, never what they were given with. It holds no cluster that
// was not asked for forgetAfter.
type saidCache struct {
	mu       sync.Mutex
	clusters map[uint64]*said
}

// forgetAfter is how long a cluster's tags are kept after it was last asked by this peer.
const forgetAfter = 10 * time.Minute

// of is what was kept of a cluster, nil for nothing. It is read-only.
func (c *saidCache) of(cluster uint64) *said {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clusters[cluster]
}

// keep remembers a round that changed nothing. A node that changes its tag at a version that stays may do so for ever, as
// with an attribute that is muted: its tag is not used again, or the others would be asked twice each round. What so is of
// no use grows old, and is tried again after forgetAfter.
func (c *saidCache) keep(cluster uint64, s *said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.used = time.Now()
	if old := c.clusters[cluster]; old != nil && old.equal(&s.stand) {
		for i, t := range old.told {
			if t.tag != s.told[i].tag {
				s.told[i] = told{}
			}
		}
		if !s.whole() {
			s.used = old.used
		}
	}
	if c.clusters == nil {
		c.clusters = map[uint64]*said{}
	}
	c.clusters[cluster] = s
}

// touch keeps what is of use from being forgotten.
func (c *saidCache) touch(cluster uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.clusters[cluster]; s != nil {
		s.used = time.Now()
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

// lateSet is the clusters whose next round waits for every node, since one that was not waited for had something to say.
type lateSet struct {
	mu       sync.Mutex
	clusters map[uint64]bool
}

func (l *lateSet) has(cluster uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clusters[cluster]
}

func (l *lateSet) note(cluster uint64, late bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !late {
		delete(l.clusters, cluster)
		return
	}
	if l.clusters == nil {
		l.clusters = map[uint64]bool{}
	}
	l.clusters[cluster] = true
}

// sweep drops the clusters that are gone.
func (l *lateSet) sweep(gone func(cluster uint64) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.clusters, func(cluster uint64, _ bool) bool { return gone(cluster) })
}
