package world

import (
	"bufio"
	"bytes"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// save is a snapshot on disk, with the state it was taken of. It is written when somebody first reads it, however many
// entries have been applied since it was taken.
type save struct {
	pos  int
	from *fsm.Reader
	raw  []byte
}

func (s *save) bytes(w *World) []byte {
	if s.raw == nil {
		s.raw = bytes.Clone(w.snapshot(s.from))
	}
	return s.raw
}

// load restores a snapshot over whatever the state holds.
func (p *peer) load(s *save) {
	if err := p.state.Restore(bytes.NewReader(s.bytes(p.w))); err != nil {
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
		p.disk = s
		w.step("snapshot", p.name, uint64(s.pos))
		w.check.saved(p, s)
	})
}

// install gives a peer that lags the state of another, as raft does when the log is gone.
func (p *peer) install(from *peer) {
	s := &save{pos: from.pos, from: from.state.Read()}
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

// paper is what snapshots are written on, again and again.
type paper struct {
	text bytes.Buffer
	pen  *bufio.Writer
}

// snapshot is that of a state, good until the next one.
func (w *World) snapshot(r *fsm.Reader) []byte {
	p := &w.paper
	p.text.Reset()
	if p.pen == nil {
		p.pen = bufio.NewWriterSize(nil, 64<<10)
	}
	p.pen.Reset(&p.text)
	if err := r.WriteSnapshot(p.pen); err != nil {
		w.fail("I17", "a snapshot cannot be written: %v", err)
	}
	return p.text.Bytes()
}
