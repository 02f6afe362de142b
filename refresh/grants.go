package refresh

import (
	"slices"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// grant is a claim to be granted; grants of one peer and kind travel as one command.
type grant struct {
	kind   fsm.Kind
	peer   string
	ttl    fsm.Duration
	reason string
	alone  bool
	names  []string
}

// grants collects the claims of a beat.
type grants struct {
	list []*fsm.ClaimGrant
}

func (g *grants) add(x grant, id uint64) {
	if len(x.names) == 0 {
		for _, c := range g.list {
			if c.Kind == x.kind && c.Peer == x.peer && c.TTL == x.ttl && c.Reason == x.reason && c.Alone == x.alone &&
				len(c.Names) == 0 && len(c.IDs) < batchIDs {
				c.IDs = append(c.IDs, id)
				return
			}
		}
	}
	g.list = append(g.list, &fsm.ClaimGrant{
		Kind: x.kind, Peer: x.peer, TTL: x.ttl, Reason: x.reason, Alone: x.alone, Names: x.names, IDs: []uint64{id},
	})
}

func (g *grants) commands() []fsm.Command {
	out := make([]fsm.Command, 0, len(g.list))
	for _, c := range g.list {
		out = append(out, c)
	}
	return out
}

// Why a claim expires.
const (
	outOfTime = "ttl"
	peerGone  = "peer_gone"
	notHeard  = "peer_silent"
)

// whyLost is why the open claims of a peer that are looked at now expire.
func (s *Scheduler) whyLost(r *fsm.Reader, peer string) string {
	switch {
	case gone(r, peer):
		return peerGone
	case s.loads.of(peer).silent:
		return notHeard
	}
	return outOfTime
}

// expiries collects the claims to take away in a beat: one command for each peer and reason, unless they are very many.
type expiries struct {
	list []*fsm.ClaimExpire
}

func (x *expiries) add(c *fsm.Claim, reason string) {
	i := slices.IndexFunc(x.list, func(e *fsm.ClaimExpire) bool {
		return e.Peer == c.Peer && e.Reason == reason && len(e.Claims) < batchIDs
	})
	if i < 0 {
		i = len(x.list)
		x.list = append(x.list, &fsm.ClaimExpire{Peer: c.Peer, Reason: reason})
	}
	x.list[i].Claims = append(x.list[i].Claims, c.Ticket())
}

func (x *expiries) commands() []fsm.Command {
	slices.SortFunc(x.list, func(a, b *fsm.ClaimExpire) int { return strings.Compare(a.Peer+a.Reason, b.Peer+b.Reason) })
	out := make([]fsm.Command, 0, len(x.list))
	for _, c := range x.list {
		out = append(out, c)
	}
	return out
}

// grant gives one due subject to the first peer in placement order that may do it and has room; false when none has. For one
// that has waited for longer than its interval a peer is kept free, or small subjects would never leave room for a large one.
func (s *Scheduler) grant(r *fsm.Reader, e *entry, free *room, out *grants, now Instant) bool {
	bench := free.allowed(e.on)
	seats := bench.seats
	if len(seats) == 0 {
		s.due.move(e, now.Mono+noPeer)
		return true
	}
	g := grant{kind: e.subject.Kind, ttl: e.ttl, reason: e.why}
	need, only := int(e.nodes), len(seats) == 1
	var tried map[string]int
	switch {
	case e.why == fsm.WhyConfirm:
		g.names = unconfirmed(r, e)
		if len(g.names) == 0 {
			e.dueAt = now.Mono + e.delayWithout(now.Time).Std()
			s.due.move(e, e.dueAt)
			delete(s.looks, e)
			return true
		}
		need, tried = len(g.names), triedBy(e.schedule.Notes, g.names)
		only = !slices.ContainsFunc(seats, func(t *seat) bool { return tried[t.peer.ID] < need })
	case e.subject.Kind == fsm.KindRun:
		seats = free.runners(seats)
	}
	t := free.take(e.subject, seats, need, tried)
	if t == nil {
		if len(seats) > 0 && now.Mono-e.dueAt > e.interval.Std() {
			free.keep(first(e.subject, seats, tried, func(*seat) bool { return true }))
		}
		return false
	}
	if t.single && !bench.only {
		free.keep(t)
	}
	if e.subject.Kind == fsm.KindRun {
		t.runs--
	} else if s.Late != nil {
		s.Late(now.Mono - e.dueAt)
	}
	g.peer, g.alone = t.peer.ID, only && settled(r, e, now)
	delete(s.looks, e)
	out.add(g, e.subject.ID)
	s.loads.charge(e, t.peer.ID, need)
	s.given.move(e, now.Mono+grantAgain)
	return true
}

// settled says whether the ready peers are all there are: later in a term, or where the rows know no other that `on` allows.
func settled(r *fsm.Reader, e *entry, now Instant) bool {
	if now.Mono >= settle {
		return true
	}
	alive := 0
	for p := range r.Peers() {
		if p.Status == fsm.PeerAlive && fsm.Allows(e.on, p) {
			alive++
		}
	}
	return alive <= 1
}

// delayWithout is when a subject is due by its slot alone: its failed nodes no longer need confirming.
func (e *entry) delayWithout(now fsm.Time) fsm.Duration {
	e.why = fsm.WhyDue
	return min(max(fsm.NextSlot(e.subject, e.interval, e.schedule.Done).Sub(now), 0), e.interval)
}

// unconfirmed are the nodes with failed polls that are not unreachable yet.
func unconfirmed(r *fsm.Reader, e *entry) []string {
	var names []string
	if e.schedule.Notes == nil {
		return nil
	}
	for _, f := range e.schedule.Notes.Failures {
		n := r.Node(e.subject.ID, f.Node)
		if n != nil && n.Polled() && n.Reach.Value != fsm.NotReachable {
			names = append(names, f.Node)
		}
	}
	return names
}

// triedBy is how many of these nodes each peer has failed already: the confirming poll goes round, to the peer that has
// failed the fewest. Where every allowed peer has failed all of them the poll has nobody else to go to.
func triedBy(notes *fsm.Notes, names []string) map[string]int {
	tried := map[string]int{}
	for _, name := range names {
		for _, p := range notes.Failure(name).Peers {
			tried[p]++
		}
	}
	return tried
}
