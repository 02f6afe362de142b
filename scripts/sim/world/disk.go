package world

import (
	"bytes"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// save is a snapshot on disk, with the state it was taken of.
type save struct {
	pos  int
	raw  []byte
	from *fsm.Reader
}

// load restores a snapshot over whatever the state holds.
func (p *peer) load(s *save) {
	if err := p.state.Restore(bytes.NewReader(s.raw)); err != nil {
		p.w.fail("I17", "%s cannot restore what it wrote: %v", p.name, err)
	}
	p.pos, p.disk, p.since = s.pos, s, 0
	p.w.check.restored(p, s)
}

// save takes a snapshot now and then, which is written while later entries are applied.
func (p *peer) save() {
	w := p.w
	if p.since++; p.pinned || p.since < w.foe.saveEvery {
		return
	}
	s, life := &save{pos: p.pos, from: p.state.Read()}, p.life
	p.pinned, p.since = true, 0
	w.after(w.between(0, 300*time.Millisecond), func() {
		if p.life != life || p.disk != nil && p.disk.pos >= s.pos {
			return
		}
		p.pinned = false
		s.raw = snapshot(w, s.from)
		p.disk = s
		w.step("snapshot", p.name, uint64(s.pos))
		w.check.saved(p, s)
	})
}

// install gives a peer that lags the state of another, as raft does when the log is gone.
func (p *peer) install(from *peer) {
	s := &save{pos: from.pos, from: from.state.Read()}
	s.raw = snapshot(p.w, s.from)
	p.applying = false
	p.w.step("install", p.name, uint64(s.pos))
	p.load(s)
	if p.open {
		p.takeUp()
	}
	p.caughtUp()
	for _, t := range slices.Clone(p.waiting) {
		t.poke()
	}
	p.more()
}

func snapshot(w *World, r *fsm.Reader) []byte {
	var b bytes.Buffer
	if err := r.WriteSnapshot(&b); err != nil {
		w.fail("I17", "a snapshot cannot be written: %v", err)
	}
	return b.Bytes()
}
