package refresh

import (
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// When a peer gets no claims for a while. Both are the leader's memory only: a new leader starts trusting.
const (
	suspension   = time.Minute
	expiriesMost = 3  // claims of a peer expired running
	doubtsLeast  = 10 // unconfirmed failures before a peer can be doubted
	runsMost     = 4  // runs of one peer at once: a source that hangs holds up no more
)

// load is what the leader remembers of one peer's work.
type load struct {
	polls       int           // of its claims
	heard       int           // under way, as it last said
	seen        uint64        // its claims up to that token had begun by then
	begun       int           // polls of those that are still open
	beyond      int           // polls it had under way that no claim stood for
	expired     int           // claims expired running
	until       time.Duration // gets no claims before
	single      bool          // one claim at a time until one completes
	silent      bool          // not heard for long
	claims      int
	runs        int // of the claims
	confirmed   int // failures it reported that another peer saw too, in this window
	unconfirmed int // failures it reported that another peer did not see
	window      time.Duration
}

// loads is what the leader remembers of all peers' work.
type loads struct {
	peers map[string]*load
}

func newLoads() loads { return loads{peers: map[string]*load{}} }

func (l *loads) of(peer string) *load {
	p := l.peers[peer]
	if p == nil {
		p = &load{}
		l.peers[peer] = p
	}
	return p
}

// charge makes a peer bear an entry's polls instead of the peer that bore them; an empty peer bears nothing.
func (l *loads) charge(e *entry, peer string, polls int) {
	if e.peer != "" {
		l.of(e.peer).bear(e, -1)
	}
	e.peer, e.polls = peer, int32(polls)
	if peer != "" {
		l.of(peer).bear(e, 1)
	}
}

func (p *load) bear(e *entry, sign int) {
	p.polls += sign * int(e.polls)
	p.claims += sign
	if e.subject.Kind == fsm.KindRun {
		p.runs += sign
	}
}

// hear takes what a peer says of its polls: of what had begun by then, no more are under way than it says.
func (l *loads) hear(peer string, polls int, seen uint64) {
	p := l.of(peer)
	p.heard, p.seen, p.silent = polls, seen, false
	p.beyond = max(0, polls-p.polls)
}

// count finds how many polls the claims stand for that peers had begun when they were last heard.
func (l *loads) count(given dueHeap) {
	for _, p := range l.peers {
		p.begun = 0
	}
	for _, e := range given {
		if e.claim == nil || e.peer == "" || e.subject.Kind != fsm.KindRefresh {
			continue
		}
		if p := l.peers[e.peer]; e.claim.Token <= p.seen {
			p.begun += int(e.polls)
		}
	}
}

// used is how much of its room a peer uses. A claim counts with all its polls until the peer has begun them, and from then
// on with those that are still under way: a round that waits for one silent node does not hold the room of all the others.
func (p *load) used() int { return p.polls - max(0, p.begun-p.heard) + p.beyond }

// expired counts a claim that a peer let expire.
func (l *loads) expired(peer string, now Instant) {
	p := l.of(peer)
	if p.expired++; p.expired >= expiriesMost {
		p.until, p.single, p.expired = now.Mono+suspension, true, 0
	}
}

// note learns from a claim that its holder closed: it works; and from a confirming round: whether the failures others
// reported were seen by its holder too. A nudged run and one whose discovery was applied anew leave no word of how they went.
func (l *loads) note(e *entry, before *fsm.Schedule, open *fsm.Claim, now Instant) {
	if e.claim == nil || open != nil || before == nil {
		return
	}
	last := e.schedule.Last
	if last.Outcome == fsm.OutcomeExpired || last.Outcome == fsm.OutcomeGivenBack ||
		last.Peer != e.claim.Peer || last.At != e.claim.Granted {
		return
	}
	p := l.of(last.Peer)
	p.expired, p.single = 0, false
	if e.subject.Kind == fsm.KindRun {
		if e.fails++; last.Outcome != fsm.OutcomeFailed {
			e.fails = 0
		}
		return
	}
	if before.Notes == nil || e.claim.Reason != fsm.WhyConfirm {
		return
	}
	for _, name := range e.claim.Names {
		f := before.Notes.Failure(name)
		if f == nil || slices.Contains(f.Peers, last.Peer) {
			continue
		}
		seen := e.schedule.Notes.Failure(name) != nil
		for _, id := range f.Peers {
			l.judge(id, seen, now)
		}
	}
}

func (l *loads) judge(peer string, confirmed bool, now Instant) {
	p := l.of(peer)
	if now.Mono-p.window > suspension {
		p.window, p.confirmed, p.unconfirmed = now.Mono, 0, 0
	}
	if confirmed {
		p.confirmed++
	} else {
		p.unconfirmed++
	}
}

// doubt finds the peers most of whose failures others do not confirm: they get no claims for a minute, and their row says
// so. Of a peer that gets none already nothing is held against it: what others say meanwhile is about its polls from before.
func (l *loads) doubt(r *fsm.Reader, now Instant) []fsm.Command {
	var out []fsm.Command
	for row := range r.Peers() {
		p := l.peers[row.ID]
		if p != nil && p.until > now.Mono {
			p.confirmed, p.unconfirmed = 0, 0
		}
		if p == nil || p.unconfirmed < doubtsLeast || p.unconfirmed <= p.confirmed {
			continue
		}
		p.until, p.confirmed, p.unconfirmed = now.Mono+suspension, 0, 0
		doubted := *row
		doubted.Doubted = now.Time.Add(fsm.DurationOf(suspension))
		out = append(out, &fsm.PeerSet{Peer: doubted, Reason: "most of its failed polls are not confirmed by other peers"})
	}
	return out
}
