package world

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// checker holds what was committed against what must hold. It has a state of its own, which applies each entry first.
type checker struct {
	w      *World
	state  *fsm.State
	deeds  map[uint64]deed   // by index: what the entry did
	images map[uint64][]byte // by index: the whole state, of every few entries
	epochs map[string]bool   // all there were
	chronicle
	ledger
	absences

	clockTerm *term
	clock     refresh.Instant // of the last entry that a leader proposed
	jumps     int
	jumpedAt  time.Duration
}

// imageEvery is after how many entries the whole states of all peers are compared.
const imageEvery = 64

func newChecker(w *World) *checker {
	return &checker{
		w: w, state: fsm.NewState(), deeds: map[uint64]deed{}, images: map[uint64][]byte{}, epochs: map[string]bool{"e1": true},
		chronicle: newChronicle(w), ledger: newLedger(w), absences: newAbsences(w),
	}
}

// committed is one entry as it is checked: before, what it asked for, and after.
type committed struct {
	entry         *entry
	commands      []fsm.Command
	before, after *fsm.Reader
	applied       *fsm.Applied
}

// each yields the commands that were accepted.
func (c *committed) each(do func(fsm.Command, fsm.Result)) {
	for i, command := range c.commands {
		if res := c.applied.Results[i]; res.Error == nil && !res.Already {
			do(command, res)
		}
	}
}

// commit applies an entry and checks all that can be told from it alone.
func (k *checker) commit(e *entry) {
	c := &committed{entry: e, before: k.state.Read()}
	var err error
	if _, c.commands, err = fsm.DecodeEntry(e.raw); err != nil {
		k.w.fail("I19", "entry %d does not decode: %v", e.index, err)
	}
	k.w.tell(step{k.w.now, "commit", e.term.p.name, e.index, kindsOf(c.commands)})
	if c.applied, err = k.state.Apply(e.index, e.raw); err != nil {
		k.w.fail("I19", "entry %d: %v", e.index, err)
	}
	c.after = k.state.Read()
	k.deeds[e.index] = deed{c.applied, c.after.Meta()}
	if len(k.w.log.entries)%imageEvery == 0 {
		k.images[e.index] = bytes.Clone(k.w.snapshot(c.after))
	}
	k.time(c)
	k.chronicle.check(c)
	k.ledger.check(c)
	k.outcomes(c)
	if len(k.w.log.entries)%orderEvery == 0 {
		k.orders()
	}
}

// kindsOf is the commands of an entry in words.
func kindsOf(commands []fsm.Command) string {
	kinds := make([]string, 0, len(commands))
	for _, c := range commands {
		kinds = append(kinds, fsm.KindName(c))
	}
	return strings.Join(kinds, " ")
}

// time checks that logical time does not go back (I28).
func (k *checker) time(c *committed) {
	was, is := c.before.Meta(), c.after.Meta()
	if is.Time < was.Time || is.Index != c.entry.index || c.applied.Index != c.entry.index {
		k.w.fail("I28", "entry %d: time %d after %d, index %d", c.entry.index, is.Time, was.Time, is.Index)
	}
}

// proposes checks that a leader's time goes on as fast as time does, whatever its wall clock says (I28).
func (k *checker) proposes(t *term, now refresh.Instant) {
	if k.clockTerm == t {
		passed := fsm.DurationOf(now.Mono - k.clock.Mono)
		if went := now.Time.Sub(k.clock.Time); went < passed-1 {
			k.w.fail("I28", "logical time went on by %s while %s passed", went, passed)
		}
	}
	if state := t.p.Read().Meta().Time; k.w.log.holder == t && now.Time < state {
		k.w.fail("I28", "a leader proposes at %d in a state of %d", now.Time, state)
	}
	k.clockTerm, k.clock = t, now
}

func (k *checker) jumped() { k.jumps, k.jumpedAt = k.jumps+1, k.w.now }

// outcomes counts what came of commands.
func (k *checker) outcomes(c *committed) {
	for i, command := range c.commands {
		word := "done "
		switch res := c.applied.Results[i]; {
		case res.Error != nil:
			word = "refused "
		case res.Already:
			word = "already "
		case len(res.Moved) > 0:
			word = "moved "
		}
		k.w.count.add(word + fsm.KindName(command))
	}
}

// deed is what an entry did, which all peers must share (I16).
type deed struct {
	*fsm.Applied
	meta *fsm.Meta
}

func (d deed) equal(o deed) bool {
	return d.Index == o.Index && d.Time == o.Time && slices.Equal(d.Events, o.Events) && d.Peers == o.Peers &&
		slices.Equal(d.Touched, o.Touched) && slices.EqualFunc(d.Granted, o.Granted, sameClaim) &&
		slices.EqualFunc(d.Closed, o.Closed, sameClaim) && slices.EqualFunc(d.Results, o.Results, sameResult) &&
		sameMeta(d.meta, o.meta)
}

func (d deed) String() string { return text(d.Applied) + text(d.meta) }

func sameClaim(a, b *fsm.Claim) bool { return reflect.DeepEqual(a, b) }

func sameResult(a, b fsm.Result) bool {
	plain := a.Error == nil && a.Claim == nil && b.Error == nil && b.Claim == nil
	return a.Index == b.Index && a.Already == b.Already && a.Closed == b.Closed && slices.Equal(a.Moved, b.Moved) &&
		(plain || reflect.DeepEqual(a, b))
}

func sameMeta(a, b *fsm.Meta) bool {
	x, y := *a, *b
	x.Epochs, y.Epochs = nil, nil
	return slices.Equal(a.Epochs, b.Epochs) && reflect.DeepEqual(x, y)
}

// same checks that a peer did what the checker's state did with an entry, and every few entries that it holds the same (I16).
func (k *checker) same(p *peer, e *entry, a *fsm.Applied) {
	if is, want := (deed{a, p.Read().Meta()}), k.deeds[e.index]; !is.equal(want) {
		k.w.fail("I16", "%s made something else of entry %d: %s, not %s", p.name, e.index, is, want)
	}
	if image, ok := k.images[e.index]; ok && !bytes.Equal(image, k.w.snapshot(p.Read())) {
		k.w.fail("I16", "%s holds something else after entry %d", p.name, e.index)
	}
}

// saved checks a snapshot that was written while later entries were applied (I17).
func (k *checker) saved(p *peer, s *save) {
	at := k.w.log.entries[s.pos-1].index
	if index := s.from.Meta().Index; index != at {
		k.w.fail("I17", "%s has a snapshot of entry %d at entry %d", p.name, index, at)
	}
	if image, ok := k.images[at]; ok && !bytes.Equal(image, s.bytes(k.w)) {
		k.w.fail("I17", "the snapshot that %s wrote at entry %d is not the state of then", p.name, at)
	}
}

// restored checks that what was restored is what was saved, in bytes and in what can be read (I17).
func (k *checker) restored(p *peer, s *save) {
	r := p.Read()
	if !bytes.Equal(s.bytes(k.w), k.w.snapshot(r)) {
		k.w.fail("I17", "%s restored something else than its snapshot of entry %d", p.name, s.from.Meta().Index)
	}
	if what := difference(s.from, r); what != "" {
		k.w.fail("I17", "%s restored other %s than there were at entry %d", p.name, what, s.from.Meta().Index)
	}
	k.w.count.add("restore")
}
