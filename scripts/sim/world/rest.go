package world

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

// A world is left alone at the end until the claims from before are closed, each of which ends with its ttl, and then for
// longer than a node takes to be removed.
const (
	ttlMost   = 75 * time.Second
	settleFor = 45 * time.Second
)

// late is how much later than its interval a schedule may fire in a group at rest.
const late = 8 * fsm.Second

// rest heals everything, lets time pass and checks that all has come right.
func (w *World) rest() {
	w.heal()
	before := w.log.last
	last := w.now + ttlMost
	for end := w.now; w.now < end+settleFor; {
		if w.check.older(before) && end < last {
			end = min(w.now, last)
		}
		w.queue.next(w)
	}
	for i := 0; i < 200_000 && !w.calm(); i++ {
		w.queue.next(w)
	}
	w.check.agree()
	w.check.history()
	w.check.live()
	w.check.right()
}

// heal ends all faults.
func (w *World) heal() {
	w.foe.resting = true
	w.foe.third = false
	for _, s := range w.sources {
		s.fault = ""
	}
	for _, n := range w.fleet.nodes {
		n.change(func() {
			n.refused, n.silent, n.slow, n.flips, n.state, n.says = false, false, 0, 0, fsm.StateUp, n.ref.Node
		})
	}
	for _, p := range w.peers {
		p.cut, p.blind, p.paused, p.mute = 0, 0, 0, 0
		if p.member && !p.up {
			p.start()
		}
	}
	w.step("rest", "", 0)
	w.foe.succeed()
	w.after(5*time.Second, w.foe.applySources)
	w.after(5*time.Second, w.foe.goOn)
}

// goOn has operators end a pause of all scheduling, which one whose clock was ahead may have made a day long.
func (a *adversary) goOn() {
	a.write((*peer).resumes)
	a.w.after(5*time.Second, a.goOn)
}

// older says whether a claim is open that was granted before an entry.
func (k *ledger) older(index uint64) bool {
	for _, h := range k.open {
		if h.Token <= index {
			return true
		}
	}
	return false
}

// calm says whether every peer has applied everything, and nothing is in flight.
func (w *World) calm() bool {
	if len(w.log.flight) > 0 {
		return false
	}
	for _, p := range w.peers {
		if p.member && p.pos < len(w.log.entries) {
			return false
		}
	}
	return true
}

// agree checks that all peers, whatever they were restored from on the way, hold the bytes of the checker's state, which
// applied the whole log from its beginning (I16, I18).
func (k *checker) agree() {
	want := bytes.Clone(k.w.snapshot(k.state.Read()))
	for _, p := range k.w.peers {
		if p.member && !bytes.Equal(k.w.snapshot(p.Read()), want) {
			k.w.fail("I16", "%s ends with something else", p.name)
		}
	}
	k.whole(k.state.Read())
}

// history checks that views unfold backwards to what they were (I7).
func (k *checker) history() {
	r := k.state.Read()
	oldest := r.Meta().OldestView().Seq
	for range 30 {
		if len(k.past) == 0 {
			return
		}
		m := pick(k.w, k.past)
		if m.seq < oldest {
			continue
		}
		v, _, err := r.AsOf(context.Background(), m.cluster, m.seq)
		if err != nil {
			k.w.fail("I7", "the view of %s after event %d: %v", m.cluster, m.seq, err)
		}
		if got := picture(v); got != m.picture {
			k.w.fail("I7", "the view of %s after event %d unfolds to\n%s\nand was\n%s", m.cluster, m.seq, got, m.picture)
		}
	}
}

// live checks that no claim is left over and every schedule has fired (I5).
func (k *checker) live() {
	r := k.state.Read()
	now := r.Meta().Time
	if h := k.w.log.holder; h != nil && h.sched != nil {
		now = h.instant().Time
	}
	for c := range r.Claims() {
		if age := k.w.now - k.open[c.Subject].renewed; age > 30*time.Second {
			k.w.fail("I5", "claim %d of %s %d is open for %s at the end", c.Token, c.Subject.Kind, c.Subject.ID, age)
		}
	}
	for s := range r.Schedules() {
		interval := intervalOf(r, s.Subject)
		if k.wanted(r, s.Subject) && now.Sub(s.Done) > interval+late {
			k.w.fail("I5", "%s %d, due every %s, was last done %s ago: %s", s.Subject.Kind, s.Subject.ID, interval,
				now.Sub(s.Done), text(s))
		}
	}
}

// wanted says whether a subject is enabled and somebody is there who may do it.
func (k *checker) wanted(r *fsm.Reader, s fsm.Subject) bool {
	on := fsm.OnAny
	if s.Kind == fsm.KindRun {
		d := r.DiscoveryByID(s.ID)
		if !d.Spec.Enabled && !d.Deleting {
			return false
		}
	} else {
		spec := r.RefreshOf(r.ClusterByID(s.ID))
		if !spec.Enabled {
			return false
		}
		on = spec.On
	}
	for _, p := range k.w.peers {
		if row := p.row(); p.member && fsm.Allows(on, &row) {
			return true
		}
	}
	return false
}

// right checks that the views say what the nodes say, and list what the sources list.
func (k *checker) right() {
	r := k.state.Read()
	for c := range r.Clusters("") {
		if !k.wanted(r, fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}) {
			continue
		}
		for n := range r.Nodes(c.ID) {
			if n.Polled() {
				k.node(c, n)
			}
		}
	}
	for _, s := range k.w.sources {
		d := r.Discovery(s.name)
		if d == nil || !d.Spec.Enabled || d.Deleting {
			continue
		}
		for _, ref := range s.lists {
			c := r.Cluster(ref.Cluster)
			if c == nil || r.Node(c.ID, ref.Node) == nil || r.Node(c.ID, ref.Node).Presence != fsm.Present {
				k.w.fail("I5", "%s is listed by %s and not there", ref, s.name)
			}
		}
		for l := range r.Listed(d.ID) {
			n := r.Node(l.Cluster, l.Node)
			ref := fsm.NodeRef{Cluster: r.ClusterByID(l.Cluster).Name, Node: l.Node}
			if d.Held == nil && !n.Word() && !slices.Contains(s.lists, ref) {
				k.w.fail("I5", "%s is not listed by %s any more and still there: %+v", ref, s.name, l)
			}
		}
	}
}

// node checks one node's row against the model of it.
func (k *checker) node(c *fsm.Cluster, n *fsm.Node) {
	m := k.w.fleet.by[fsm.NodeRef{Cluster: c.Name, Node: n.ID}]
	is := fmt.Sprint(n.Reach.Value, " ", n.State.Value)
	want := fmt.Sprint(fsm.Reachable, " ", m.state)
	switch {
	case m.port != n.Endpoint.Port:
		want = fmt.Sprint(fsm.NotReachable, " ", n.State.Value) // no source has told where it moved
	case n.Said.Identity.Mismatch:
		k.w.count.add("mismatch at the end")
		return
	default:
		said := []string{is}
		for _, s := range n.Said.Shards {
			said = append(said, s.Role)
		}
		is = strings.Join(said, " ")
		want += strings.Repeat(" "+m.role, m.shards)
	}
	if is != want {
		k.w.fail("I5", "%s/%s is %q at the end; it says %q", c.Name, n.ID, is, want)
	}
}
