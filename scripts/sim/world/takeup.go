package world

import (
	"bytes"

	"github.com/musterhq/muster/fsm"
)

// sets are all that somebody may wait for.
var sets = []fsm.Set{
	fsm.SetDiscoveries, fsm.SetClusters, fsm.SetNodes, fsm.SetClaims, fsm.SetPeers, fsm.SetSettings, fsm.SetEvents, fsm.SetTokens,
}

// tokensSince is the feature level from which on there are tokens.
const tokensSince = 2

// takesUp checks what an operator's restore made of a backup: a new epoch, no claims, indexes and time that go on, and all that
// is the group's own. What was claimed before is open no more for the checker, so that a completion of it which is accepted
// breaks I1.
func (k *checker) takesUp(e *entry, b *backup, as fsm.Rebirth) {
	before, from := k.state.Read(), k.w.stateOf(b.raw).Read()
	k.state = k.w.stateOf(e.raw)
	after := k.state.Read()
	m, was, old := after.Meta(), before.Meta(), from.Meta()
	switch {
	case m.Index != e.index || m.Index <= was.Index || m.Index <= old.Index || m.Time < was.Time:
		k.w.fail("restore", "index %d and time %d follow on %d and %d, of a backup of %d", m.Index, m.Time, was.Index, was.Time,
			old.Index)
	case m.Epoch() != as.Epoch || k.epochs[as.Epoch]:
		k.w.fail("I6", "the epoch after a restore is %s, once more or another than %s", m.Epoch(), as.Epoch)
	case m.Group != was.Group || m.Feature != was.Feature || m.Leader != was.Leader || m.Term != was.Term:
		k.w.fail("restore", "the group was %s and is %s", text(was), text(m))
	case pauseOf(after) != pauseOf(before):
		k.w.fail("pause", "the pause was %+v and is %+v", pauseOf(before), pauseOf(after))
	case m.Seq != old.Seq+1 || m.First != old.First:
		k.w.fail("I6", "a backup with events %d to %d begins an epoch with %d to %d", old.First, old.Seq, m.First, m.Seq)
	}
	k.epochs[as.Epoch] = true
	for c := range after.Claims() {
		k.w.fail("restore", "claim %d is open after a restore", c.Token)
	}
	for _, set := range sets {
		if set == fsm.SetTokens && m.Feature < tokensSince {
			continue
		}
		if is, at := after.Wait(set).Index, max(before.Wait(set).Index, from.Wait(set).Index); is <= at {
			k.w.fail("restore", "the index of a set is %d after a restore, and was %d", is, at)
		}
	}
	k.moved(after)
	k.samePeers(before, after)
	k.back(&b.recollection)
	k.newborn(after)
	k.whole(after)
	k.images[e.index] = e.raw
	k.w.count.add("restored")
	k.w.tell(step{k.w.now, "restored", as.Epoch, e.index, ""})
}

func pauseOf(r *fsm.Reader) (p fsm.Pause) {
	if is := r.Settings().Pause; is != nil {
		p = *is
	}
	return p
}

// moved checks that every row which something may be computed from or waited for is at an index of its own after a restore.
func (k *checker) moved(r *fsm.Reader) {
	at := r.Meta().Index
	for c := range r.Clusters("") {
		if c.Index != at {
			k.w.fail("restore", "cluster %s is at version %d after a restore at %d", c.Name, c.Index, at)
		}
	}
	for d := range r.Discoveries("") {
		if d.Index != at || d.Settings != at {
			k.w.fail("restore", "discovery %s is at %d, with settings of %d, after a restore at %d", d.Name, d.Index, d.Settings, at)
		}
	}
	if s := r.Settings(); s.Index != at {
		k.w.fail("restore", "the settings are at %d after a restore at %d", s.Index, at)
	}
}

// samePeers checks that the peers are those that there were.
func (k *checker) samePeers(before, after *fsm.Reader) {
	n := 0
	for p := range before.Peers() {
		is := after.Peer(p.ID)
		if n++; is == nil || is.Name != p.Name || is.Status != p.Status || is.Release != p.Release {
			k.w.fail("restore", "peer %s is %s after a restore", p.Name, text(is))
		}
	}
	for range after.Peers() {
		n--
	}
	if n != 0 {
		k.w.fail("restore", "a restore brings %d peers along", -n)
	}
}

// newborn takes in the events that began epochs after a backup was made: state.restored, and nothing else.
func (k *checker) newborn(r *fsm.Reader) {
	for e := range r.Events(max(k.seq, r.Meta().First-1)) {
		raw, err := e.MarshalCBOR()
		if k.seq++; err != nil || e.Seq != k.seq || e.Type != fsm.StateRestored {
			k.w.fail("I6", "a restore tells %s as event %d: %v", e.Type, e.Seq, err)
		}
		k.times, k.sizes = append(k.times, e.Time), append(k.sizes, len(raw))
		k.w.count.add("event " + string(e.Type))
	}
	if k.seq != r.Meta().Seq {
		k.w.fail("I6", "events are there up to %d after a restore, not %d", k.seq, r.Meta().Seq)
	}
}

// tookUp checks that a peer restored what all must hold now.
func (k *checker) tookUp(p *peer, e *entry) {
	if !bytes.Equal(e.raw, k.w.snapshot(p.Read())) {
		k.w.fail("I17", "%s restored something else than the operator's backup at entry %d", p.name, e.index)
	}
}
