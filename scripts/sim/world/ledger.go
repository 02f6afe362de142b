package world

import (
	"maps"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// ledger is the claims there are and were.
type ledger struct {
	w    *World
	open map[fsm.Subject]*held
	last map[fsm.Subject]uint64 // token of the last claim of each
	due  map[fsm.Subject]pulse
}

// held is an open claim.
type held struct {
	*fsm.Claim
	parts   uint32
	renewed time.Duration
}

func newLedger(w *World) ledger {
	return ledger{
		w: w, open: map[fsm.Subject]*held{}, last: map[fsm.Subject]uint64{}, due: map[fsm.Subject]pulse{},
	}
}

// bookkeeping is an entry while its commands are gone through.
type bookkeeping struct {
	*ledger
	*committed
	moved   map[string]bool // clusters that commands of this entry changed already
	applied map[uint64]bool // discoveries that were applied anew or deleted
}

// check goes through the commands of an entry: what was accepted must have been asked by the holder of the open claim on the
// version that there was (I1, I2), and what was closed or opened must have had a reason (I3, I4).
func (k *ledger) check(c *committed) {
	b := &bookkeeping{k, c, map[string]bool{}, map[uint64]bool{}}
	idle := true
	for i, command := range c.commands {
		res := &c.applied.Results[i]
		if res.Error != nil || res.Already {
			continue
		}
		idle = false
		b.command(command, res)
	}
	if idle && (c.applied.Events > 0 || len(c.applied.Touched) > 0 || len(c.applied.Closed) > 0) {
		k.w.fail("I2", "entry %d: all is refused and %d events, %d subjects are moved", c.entry.index, c.applied.Events,
			len(c.applied.Touched))
	}
	for _, s := range c.applied.Touched {
		b.settle(s)
	}
	if len(k.w.log.entries)%imageEvery == 0 {
		n := 0
		for x := range c.after.Claims() {
			n++
			if h := k.open[x.Subject]; h == nil || h.Token != x.Token {
				k.w.fail("I3", "claim %d of %s %d is open in the state alone", x.Token, x.Subject.Kind, x.Subject.ID)
			}
		}
		if n != len(k.open) {
			k.w.fail("I3", "%d claims are open, %d are known", n, len(k.open))
		}
	}
}

func (b *bookkeeping) command(command fsm.Command, res *fsm.Result) {
	switch c := command.(type) {
	case *fsm.RefreshComplete:
		b.refreshed(c, res)
	case *fsm.RefreshUnchanged:
		for _, g := range c.Groups {
			for _, id := range g.Clusters {
				s := fsm.Subject{Kind: fsm.KindRefresh, ID: id}
				if h := b.open[s]; h != nil && h.Token == g.Token {
					b.w.check.unchanged(b.committed, h.Claim, c.AsOf)
					b.close(s)
				}
			}
		}
	case *fsm.RunComplete:
		b.ran(c, res)
	case *fsm.ClaimAbandon:
		b.tickets(c.Claims, "")
	case *fsm.ClaimExpire:
		b.expired(c)
	case *fsm.DiscoveryApply:
		b.anew(c.Name)
	case *fsm.DiscoveryDelete:
		b.anew(c.Name)
	case *fsm.ClusterChange:
		for _, ch := range c.Changes {
			b.based(ch.Name, ch.Cluster, ch.Base)
			b.move(ch.Name, ch.Cluster, len(ch.Facts) > 0)
		}
	}
}

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

func (b *bookkeeping) anew(name string) {
	d, was := b.after.Discovery(name), b.before.Discovery(name)
	if was == nil || d == nil || d.Settings == was.Settings {
		return
	}
	if d.Spec.Enabled && !was.Spec.Enabled {
		b.w.check.enabled[d.ID] = b.entry.index
	}
	b.applied[was.ID] = true
	b.close(fsm.Subject{Kind: fsm.KindRun, ID: was.ID})
}

// tickets closes the claims that are named and open, of one peer where it is named too.
func (b *bookkeeping) tickets(named []fsm.Ticket, peer string) {
	for _, t := range named {
		if h := b.open[t.Subject]; h != nil && h.Token == t.Token && (peer == "" || h.Peer == peer) {
			b.close(t.Subject)
		}
	}
}

// expired checks that a ttl has really passed since the claim was last renewed, by the one true clock (I28).
func (b *bookkeeping) expired(c *fsm.ClaimExpire) {
	for _, t := range c.Claims {
		h := b.open[t.Subject]
		if h == nil || h.Token != t.Token || c.Reason != "ttl" {
			continue
		}
		if passed := b.w.now - h.renewed; passed < h.TTL.Std()-time.Millisecond {
			b.w.fail("I28", "entry %d: claim %d expires after %s; its ttl is %s", b.entry.index, t.Token, passed, h.TTL)
		}
	}
	b.w.count.add("expired " + c.Reason)
	b.tickets(c.Claims, c.Peer)
}

func (b *bookkeeping) close(s fsm.Subject) {
	if h := b.open[s]; h != nil {
		delete(b.w.asked, h.Ticket())
		delete(b.open, s)
	}
}

// settle checks that a subject's claim in the state is what the commands made of it.
func (b *bookkeeping) settle(s fsm.Subject) {
	is, h := b.after.Claim(s), b.open[s]
	if h != nil && (is == nil || is.Token != h.Token) {
		if gone := b.after.Schedule(s) == nil; !gone {
			b.w.fail("I4", "entry %d: claim %d of %s %d is closed by nothing", b.entry.index, h.Token, s.Kind, s.ID)
		}
		b.close(s)
		h = nil
	}
	switch {
	case is == nil:
	case h != nil:
		if is.Parts != h.parts || is.Peer != h.Peer || is.Granted != h.Granted {
			b.w.fail("I1", "entry %d: claim %d has %d parts, accepted are %d", b.entry.index, is.Token, is.Parts, h.parts)
		}
	case is.Token != b.entry.index || is.Token <= b.last[s]:
		b.w.fail("I3", "entry %d: claim %d of %s %d is opened after %d", b.entry.index, is.Token, s.Kind, s.ID, b.last[s])
	default:
		b.granted(s, is)
	}
}

func sorted(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
