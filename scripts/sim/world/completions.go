package world

import (
	"slices"

	"github.com/musterhq/muster/fsm"
)

// part checks that an accepted part is the next one of the open claim.
func (b *bookkeeping) part(s fsm.Subject, token uint64, part uint32) *held {
	h := b.open[s]
	switch {
	case h == nil:
		b.w.fail("I1", "entry %d: part %d of claim %d of %s %d is accepted, and none is open", b.entry.index, part, token, s.Kind,
			s.ID)
	case h.Token != token:
		b.w.fail("I2", "entry %d: a completion of claim %d is accepted; open is %d", b.entry.index, token, h.Token)
	case h.parts != part:
		b.w.fail("I1", "entry %d: part %d of claim %d is accepted after %d parts", b.entry.index, part, token, h.parts)
	}
	return h
}

func (b *bookkeeping) refreshed(c *fsm.RefreshComplete, res *fsm.Result) {
	s := fsm.Subject{Kind: fsm.KindRefresh, ID: c.Cluster}
	h := b.part(s, c.Token, c.Part)
	b.based("", c.Cluster, c.Base)
	b.move("", c.Cluster, len(c.Facts) > 0)
	b.w.check.refreshed(b.committed, h.Claim, c)
	if c.Last != res.Closed {
		b.w.fail("I4", "entry %d: part %d of claim %d closes it: %v", b.entry.index, c.Part, c.Token, res.Closed)
	}
	word := "done refresh changed"
	if c.Part > 0 {
		b.w.count.add("part of a refresh")
	}
	if c.Last {
		b.close(s)
		b.w.count.add(word)
		return
	}
	h.parts++
	h.renewed = b.w.now
}

func (b *bookkeeping) ran(c *fsm.RunComplete, res *fsm.Result) {
	s := fsm.Subject{Kind: fsm.KindRun, ID: c.Discovery}
	h := b.part(s, c.Token, c.Part)
	if d := b.before.DiscoveryByID(c.Discovery); !b.applied[c.Discovery] && d.Settings != c.Settings {
		b.w.fail("I2", "entry %d: a run of settings %d is accepted; they are %d", b.entry.index, c.Settings, d.Settings)
	}
	for _, e := range c.Enrolments {
		if !slices.ContainsFunc(res.Moved, func(m fsm.Moved) bool { return m.Cluster == e.Cluster }) {
			b.based(e.Cluster, e.ID, e.Base)
			b.move(e.Cluster, e.ID, true)
		}
	}
	b.w.check.ran(b.committed, h.Claim, c, res)
	if c.Part > 0 {
		b.w.count.add("part of a run")
	}
	if res.Closed {
		b.close(s)
		b.w.count.add("done run")
		return
	}
	h.parts++
	h.renewed = b.w.now
}

// based checks the version that a change names (I2).
func (b *bookkeeping) based(name string, id, base uint64) {
	row := b.before.ClusterByID(id)
	if id == 0 {
		row = b.before.Cluster(name)
	}
	at := uint64(0)
	if row != nil {
		at, name = row.Index, row.Name
	}
	if b.moved[name] || at != base {
		b.w.fail("I2", "entry %d: a change of %q is accepted on version %d; it is at %d, or at a later one of this entry",
			b.entry.index, name, base, at)
	}
}

func (b *bookkeeping) move(name string, id uint64, moves bool) {
	if row := b.before.ClusterByID(id); row != nil {
		name = row.Name
	}
	b.moved[name] = b.moved[name] || moves
}
