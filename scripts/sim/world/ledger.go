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

	pause fsm.Pause // the last one, over or not
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
	if idle && (len(c.applied.Events) > 0 || len(c.applied.Touched) > 0 || len(c.applied.Closed) > 0) {
		k.w.fail("I2", "entry %d: all is refused and %d events, %d subjects are moved", c.entry.index, len(c.applied.Events),
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
	case *fsm.ClaimGrant:
		if b.pause.Holds(b.after.Meta().Time) {
			b.w.fail("pause", "entry %d: a claim is granted while all is paused until %s", b.entry.index, b.pause.Until)
		}
	case *fsm.SchedulePause:
		b.pause = c.Pause
	case *fsm.ScheduleResume:
		if c.Until == 0 || c.Until == b.pause.Until {
			b.pause = fsm.Pause{}
		}
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
		if b.tickets(c.Claims, "") {
			b.w.count.add("given back since " + c.Error)
		}
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
func (b *bookkeeping) tickets(named []fsm.Ticket, peer string) (closed bool) {
	for _, t := range named {
		if h := b.open[t.Subject]; h != nil && h.Token == t.Token && (peer == "" || h.Peer == peer) {
			b.close(t.Subject)
			closed = true
		}
	}
	return closed
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
