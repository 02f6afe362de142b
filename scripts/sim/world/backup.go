package world

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// backup is an operator's copy of the state, with what the checker knew when it was made.
type backup struct {
	raw []byte
	recollection
}

// recollection is what the checker counted itself and a restore takes it back to.
type recollection struct {
	seq    uint64
	views  map[string]*fsm.View
	past   []memory
	times  []fsm.Time
	sizes  []int
	missed map[listingKey]absence
	failed map[nodeKey]failures
}

// keptBackups is how many there are to choose from.
const keptBackups = 4

// backsUp makes a backup of what is committed. Some come from elsewhere: a group of its own, with an index, a time and an
// epoch of its own, took this one's state up first.
func (a *adversary) backsUp() bool {
	w := a.w
	b := &backup{recollection: w.check.recollect()}
	state := w.check.state
	if state.Read().Meta().Group == "" {
		return false
	}
	if w.chance(3) {
		state = w.elsewhere(state.Read())
	}
	b.raw = bytes.Clone(w.snapshot(state.Read()))
	w.backups = append(w.backups, b)
	w.backups = w.backups[max(0, len(w.backups)-keptBackups):]
	return true
}

// elsewhere is a state as another group has it that took it up.
func (w *World) elsewhere(r *fsm.Reader) *fsm.State {
	m := r.Meta()
	state := w.stateOf(w.snapshot(r))
	w.births++
	_, err := state.BeginEpoch(fsm.Rebirth{
		Epoch: fmt.Sprint("elsewhere-", w.births), Cause: byOperator, Own: fsm.Meta{
			Group: "elsewhere", Feature: m.Feature, Leader: "x", LeaderName: "x", Term: m.Term + uint64(w.rng.IntN(100)),
			Index: uint64(w.rng.IntN(2 * int(m.Index))), Time: m.Time.Add(fsm.DurationOf(w.between(0, 48*time.Hour) - 24*time.Hour)),
		},
	})
	if err != nil {
		w.fail("restore", "another group cannot take the state up: %v", err)
	}
	return state
}

func (w *World) stateOf(raw []byte) *fsm.State {
	state := fsm.NewState()
	if err := state.Restore(bytes.NewReader(raw)); err != nil {
		w.fail("I17", "what was written cannot be restored: %v", err)
	}
	return state
}

// restores has the leader put a backup in the place of the state of all, as the agent does between the work of two terms.
func (a *adversary) restores() bool {
	w := a.w
	h := w.log.holder
	if len(w.backups) == 0 || h == nil || h.sched == nil || h.over {
		return false
	}
	p, b := h.p, pick(w, w.backups)
	h.stop()
	w.log.decide(w)
	for p.pos < len(w.log.entries) {
		p.apply(w.log.entries[p.pos])
	}
	own := *p.Read().Meta()
	own.Index, own.Time = max(own.Index, w.log.last), max(own.Time, p.wall())
	w.births++
	as := fsm.Rebirth{Epoch: fmt.Sprint("e", 1+w.births), Own: own, Pause: p.Read().Settings().Pause, Cause: byOperator}
	for row := range p.Read().Peers() {
		as.Peers = append(as.Peers, *row)
	}
	state := w.stateOf(b.raw)
	index, err := state.BeginEpoch(as)
	if err != nil {
		w.fail("restore", "the group cannot take a backup of its own up: %v", err)
	}
	e := &entry{index: index, raw: bytes.Clone(w.snapshot(state.Read())), whole: true}
	w.log.last = index
	w.log.entries = append(w.log.entries, e)
	w.trace.mixBytes(e.raw)
	w.check.takesUp(e, b, as)
	p.apply(e)
	for _, other := range w.peers {
		other.more()
	}
	w.log.begin(w, p)
	return true
}

// recollect is what a backup of now needs.
func (k *checker) recollect() recollection {
	r := recollection{
		seq: k.seq, views: map[string]*fsm.View{}, past: slices.Clone(k.past), times: slices.Clone(k.times),
		sizes: slices.Clone(k.sizes), missed: map[listingKey]absence{}, failed: map[nodeKey]failures{},
	}
	for name, v := range k.views {
		r.views[name] = v.Clone()
	}
	for key, a := range k.missed {
		r.missed[key] = *a
	}
	for key, f := range k.failed {
		r.failed[key] = failures{maps.Clone(f.peers), f.alone}
	}
	return r
}

// back takes the checker to what it knew when a backup was made. All claims are closed.
func (k *checker) back(r *recollection) {
	k.seq, k.past, k.times, k.sizes = r.seq, slices.Clone(r.past), slices.Clone(r.times), slices.Clone(r.sizes)
	clear(k.views)
	for name, v := range r.views {
		k.views[name] = v.Clone()
	}
	clear(k.missed)
	for key, a := range r.missed {
		k.missed[key] = &a
	}
	clear(k.failed)
	for key, f := range r.failed {
		k.failed[key] = &failures{maps.Clone(f.peers), f.alone}
	}
	for _, h := range k.open {
		delete(k.w.asked, h.Ticket())
	}
	clear(k.open)
	clear(k.due)
	clear(k.enabled)
}
