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
	polls       int
	expired     int           // claims expired running
	until       time.Duration // gets no claims before
	single      bool          // one claim at a time until one completes
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
	e.peer, e.polls = peer, polls
	if peer != "" {
		l.of(peer).bear(e, 1)
	}
}

func (p *load) bear(e *entry, sign int) {
	p.polls += sign * e.polls
	p.claims += sign
	if e.subject.Kind == fsm.KindRun {
		p.runs += sign
	}
}

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

// room is how many polls each ready peer can still take in this beat.
type room struct {
	peers  []*fsm.Peer
	left   map[string]int
	single map[string]bool // gets one claim, of whatever size
	runs   map[string]int
	limit  int
}

// free is the room of the ready peers that may get claims. An only ready peer always may, and where every one is suspended
// all may: a peer that is not trusted is better than none.
func (l *loads) free(ready []*fsm.Peer, limit int, now Instant) *room {
	f := &room{left: map[string]int{}, single: map[string]bool{}, runs: map[string]int{}, limit: limit}
	trusted := func(p *fsm.Peer) bool { return l.of(p.ID).until <= now.Mono }
	choice := slices.ContainsFunc(ready, trusted)
	for _, p := range ready {
		w := l.of(p.ID)
		if choice && !trusted(p) || len(ready) > 1 && w.single && w.claims > 0 {
			continue
		}
		f.peers = append(f.peers, p)
		f.left[p.ID], f.runs[p.ID] = limit-w.polls, runsMost-w.runs
		f.single[p.ID] = w.single && len(ready) > 1
	}
	return f
}

func (f *room) full() bool {
	for _, left := range f.left {
		if left > 0 {
			return false
		}
	}
	return true
}

func (f *room) allowed(on string) []*fsm.Peer {
	if on == fsm.OnAny {
		return f.peers
	}
	var out []*fsm.Peer
	for _, p := range f.peers {
		if fsm.Allows(on, p) {
			out = append(out, p)
		}
	}
	return out
}

// runners are those of the peers that may begin another run.
func (f *room) runners(peers []*fsm.Peer) []*fsm.Peer {
	return slices.DeleteFunc(peers, func(p *fsm.Peer) bool { return f.runs[p.ID] <= 0 })
}

// keep lets a peer get nothing more in this beat, so that it empties.
func (f *room) keep(p *fsm.Peer) { f.left[p.ID] = 0 }

// take finds the first peer with room for the polls; a subject bigger than the limit goes alone, to a peer with nothing else.
func (f *room) take(order []*fsm.Peer, polls int) *fsm.Peer {
	for _, p := range order {
		if left := f.left[p.ID]; left >= polls || left == f.limit {
			if f.left[p.ID] -= polls; f.single[p.ID] {
				f.left[p.ID] = 0
			}
			return p
		}
	}
	return nil
}
