package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// fleet is what the scene's group observes: clusters of nodes that change, fail, come and go.
type fleet struct {
	scene    *scene
	clusters int
	size     int
	docs     map[string]refresh.Document // what each node says, by address
	down     map[string]bool
	unlisted map[string]bool
	failing  error
	empty    bool
	changes  int
}

func newFleet(s *scene) *fleet {
	return &fleet{
		scene: s, clusters: 4, size: 3, docs: map[string]refresh.Document{}, down: map[string]bool{}, unlisted: map[string]bool{},
	}
}

// found starts all nodes and has the group discover them.
func (f *fleet) found() {
	for c := range f.clusters {
		for i := range f.size {
			f.docs[addrOf(c, i)] = documentOf(c, i)
		}
	}
	f.tell()
	f.list()
	spec := f.scene.spec(quick)
	spec.Refresh.Interval = 8 * fsm.Second
	f.scene.leader().apply(&fsm.DiscoveryApply{Name: "all", Spec: spec, Cause: operator})
}

// tell has the nodes say what they say, and kills those that are down.
func (f *fleet) tell() {
	for addr, doc := range f.docs {
		if !f.down[addr] {
			f.scene.nodes.say(addr, doc)
		}
	}
}

// list has the source list what is listed.
func (f *fleet) list() {
	var records []fsm.Record
	for _, r := range recordsOf(f.clusters, f.size) {
		if !f.unlisted[fmt.Sprintf("%s:%d", r.Address, r.Port)] && !f.empty {
			records = append(records, r)
		}
	}
	f.scene.source.set(records, f.failing)
}

// move changes something: a version, who is the primary, whether a node is up or listed.
func (f *fleet) move() {
	r := f.scene.rand
	c, i := r.IntN(f.clusters), r.IntN(f.size)
	addr := addrOf(c, i)
	f.changes++
	switch r.IntN(4) {
	case 0:
		doc := f.docs[addr]
		doc.Version = fmt.Sprintf("7.%d.0", f.changes)
		f.docs[addr] = doc
	case 1:
		for o := range f.size {
			doc := f.docs[addrOf(c, o)]
			role := fsm.RoleReplica
			if o == i {
				role = fsm.RolePrimary
			}
			doc.Shards = []refresh.DocumentShard{{ID: "0", Role: role}}
			f.docs[addrOf(c, o)] = doc
		}
	case 2:
		if f.down[addr] = !f.down[addr]; f.down[addr] {
			f.scene.nodes.kill(addr)
		}
	default:
		if c > 0 || i > 0 {
			f.unlisted[addr] = !f.unlisted[addr]
		}
	}
	f.tell()
	f.list()
}

// fail has the source fail, or list nothing; rest undoes it.
func (f *fleet) fail()  { f.failing = errors.New("no cluster leader"); f.list() }
func (f *fleet) blank() { f.empty = true; f.list() }
func (f *fleet) rest()  { f.failing, f.empty = nil, false; f.list() }

// recover brings all back, listed.
func (f *fleet) recover() {
	clear(f.down)
	clear(f.unlisted)
	f.rest()
	f.tell()
}

// slow makes half the nodes answer after a while that some of them are asked longer than their timeout.
func (f *fleet) slow(by time.Duration) {
	for i, addr := range addrsOf(f.clusters, f.size) {
		if i%2 == 0 {
			f.scene.nodes.slow(by, addr)
		}
	}
}

// wrong says what a state has wrong about the fleet, empty when nothing.
func (f *fleet) wrong(r *fsm.Reader) string {
	for c := range f.clusters {
		for i := range f.size {
			n, doc := nodeOf(r, c, i), f.docs[addrOf(c, i)]
			switch {
			case n == nil:
				return fmt.Sprintf("node %d of cluster %d is not there", i, c)
			case n.Presence != fsm.Present || n.Reach.Value != fsm.Reachable || n.State.Value != fsm.StateUp:
				return fmt.Sprintf("node %d of cluster %d is %s, %s, %s", i, c, n.Presence, n.Reach.Value, n.State.Value)
			case n.Said.Version != doc.Version:
				return fmt.Sprintf("node %d of cluster %d is to run %s, not %s", i, c, doc.Version, n.Said.Version)
			case len(n.Said.Shards) != 1 || n.Said.Shards[0].Role != doc.Shards[0].Role:
				return fmt.Sprintf("node %d of cluster %d has shards %+v, not %+v", i, c, n.Said.Shards, doc.Shards)
			}
		}
	}
	return ""
}
