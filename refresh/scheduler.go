package refresh

import (
	"math"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// What the scheduler waits for.
const (
	minTTL     = 15 * fsm.Second
	runTTL     = 75 * fsm.Second
	grantAgain = 2 * time.Second // a grant that was not applied by then is proposed anew
	settle     = 2 * time.Second // so long into a term other peers may not have been heard: nobody is alone yet
	noPeer     = time.Second     // a subject whose `on` allows no ready peer is looked at again
	maxBackoff = 3 * fsm.Minute  // between tries of a discovery whose runs fail
	batchIDs   = 2048            // subjects of one ClaimGrant or ClaimExpire
)

// Scheduler decides, for one leader's term, what is due and which peer gets the claim. Runs of discoveries are scheduled as
// refreshes are: both are claims. It is a step function of the state, the ready peers and the Instant: it has no clock and
// starts nothing. It is for one goroutine.
type Scheduler struct {
	entries map[fsm.Subject]*entry
	due     dueHeap         // what waits for its time or for a peer
	given   dueHeap         // what a peer was given, by when that is taken back
	looks   map[*entry]bool // of due: what is to be looked at again, sooner than its slot
	look    time.Duration   // when the first of looks is due, or earlier
	loads   loads
	short   bool // the last beat found no room for all that was due
	freed   bool // there is some now
	paused  bool // at the last beat

	// Late, where it is set, is told of each refresh that is granted, by how much it is late.
	Late func(time.Duration)
}

// NewScheduler is a scheduler for a term that begins: it takes up all subjects as the state has them. Open claims get a
// fresh ttl, save those of peers that are gone. What is overdue by more than an interval waits for its next slot, so that
// a group that slept does not fire everything at once.
func NewScheduler(r *fsm.Reader, now Instant) *Scheduler {
	s := &Scheduler{entries: map[fsm.Subject]*entry{}, looks: map[*entry]bool{}, look: math.MaxInt64, loads: newLoads()}
	at := editionOf(r)
	for row := range r.Schedules() {
		s.take(r, row, at, moment{now, true})
	}
	s.Peers(r, now)
	return s
}

// moment is an Instant, and whether it is the one at which a term begins.
type moment struct {
	Instant
	over bool
}

// Update reads subjects again whose schedule, claim or settings an entry of the log has touched.
func (s *Scheduler) Update(r *fsm.Reader, touched []fsm.Subject, now Instant) {
	at := editionOf(r)
	for _, subject := range touched {
		row := r.Schedule(subject)
		if row == nil {
			s.forget(subject)
			continue
		}
		s.take(r, row, at, moment{now, false})
	}
}

// Peers looks at the peers' rows again: claims of those that are gone expire at the next Beat.
func (s *Scheduler) Peers(r *fsm.Reader, now Instant) {
	s.lose(func(peer string) bool { return gone(r, peer) }, now)
}

// Silent takes it that a peer has not been heard for long: its claims expire at the next Beat, and so does what it is granted
// yet, until it is heard again. It need not be dead: its token fences what it still completes, and nothing is held against it.
func (s *Scheduler) Silent(peer string, now Instant) {
	if p := s.loads.of(peer); !p.silent {
		p.silent = true
		s.lose(func(id string) bool { return id == peer }, now)
	}
}

// lose lets the open claims of some peers expire at the next Beat.
func (s *Scheduler) lose(some func(peer string) bool, now Instant) {
	var lost []*entry
	for _, e := range s.given {
		if e.claim != nil && some(e.claim.Peer) {
			lost = append(lost, e)
		}
	}
	for _, e := range lost {
		s.given.move(e, now.Mono)
	}
}

// Heard takes what a peer said of its work: how many polls were under way, those that wait for their turn with them, and a
// token up to which it had taken up its claims. Without it every claim counts with all its polls until it closes. What was
// taken up in the moment before may not have been counted yet: that much more than the limit may be under way for a while.
func (s *Scheduler) Heard(peer string, polls int, seen uint64) { s.loads.hear(peer, polls, seen) }

func gone(r *fsm.Reader, peer string) bool {
	p := r.Peer(peer)
	return p == nil || p.Status == fsm.PeerGone
}

// take brings the entry of a subject up to its row.
func (s *Scheduler) take(r *fsm.Reader, row *fsm.Schedule, at edition, now moment) {
	e := s.entries[row.Subject]
	if e == nil {
		e = &entry{subject: row.Subject}
		s.entries[row.Subject] = e
	}
	before := e.schedule
	e.schedule = row
	e.settle(r, at)
	claim := r.Claim(row.Subject)
	delete(s.looks, e)
	s.loads.note(e, before, claim, now.Instant)
	if claim != nil {
		renewed := e.claim == nil || e.claim.Token != claim.Token || e.claim.Parts != claim.Parts
		e.claim = claim
		s.loads.charge(e, claim.Peer, e.polled(claim))
		if renewed {
			e.lapses = now.Mono + claim.TTL.Std()
		}
		switch {
		case s.loads.of(claim.Peer).silent:
			s.given.move(e, now.Mono)
		case renewed:
			s.given.move(e, e.lapses)
		}
		return
	}
	if e.claim != nil && s.short && !s.freed {
		s.freed, s.look = true, now.Mono
	}
	e.claim = nil
	s.loads.charge(e, "", 0)
	if !e.enabled {
		e.leave()
		return
	}
	s.plan(e, now)
}

// plan says when an entry is due. What waits for a peer already keeps its place, whatever touched it.
func (s *Scheduler) plan(e *entry, now moment) {
	due := now.Mono + e.delay(now).Std()
	waits := e.heap == &s.due && e.dueAt <= now.Mono && due <= now.Mono
	if !waits {
		e.dueAt = due
	}
	s.due.move(e, e.dueAt)
	if !waits && (e.why == fsm.WhyConfirm || e.why == fsm.WhyOdd) {
		s.look = min(s.look, e.dueAt)
		s.looks[e] = true
	}
}

// Look is when the next subject is to be looked at again because of what its last round brought, or sooner; at once where what
// found no room has some now, since a beat that closes claims was filled before they closed. That is not left
// to the rhythm of the beats: the promise of how soon a dead node is known has no room for it. What a beat found no peer for
// waits for the next beat, or it would draw all else out of the rhythm for as long.
func (s *Scheduler) Look() (at time.Duration, ok bool) { return s.look, s.freed || len(s.looks) > 0 }

// nextLook finds when the first of looks is due that a beat did not come to yet.
func (s *Scheduler) nextLook(now Instant) {
	s.look = math.MaxInt64
	for e := range s.looks {
		if e.dueAt <= now.Mono {
			delete(s.looks, e)
			continue
		}
		s.look = min(s.look, e.dueAt)
	}
}

// delay is how long a subject without a claim waits; less than nothing for what was overdue already when the term began.
func (e *entry) delay(now moment) fsm.Duration {
	at, why := e.schedule.Due(e.interval)
	if e.why = why; e.deleting {
		e.why = fsm.WhyDelete
	}
	if e.fails > 0 && !e.schedule.AtOnce {
		// Counted from the failed run, so that nudges which come and go meanwhile do not put the next full one off.
		wait := min(fsm.Second<<min(e.fails-1, 10), maxBackoff, e.interval)
		return min(max(e.schedule.Done.Add(wait).Sub(now.Time), 0), wait)
	}
	wait := at.Sub(now.Time)
	switch {
	case at == 0 || wait < 0 && !now.over:
		return 0
	case wait < -e.interval:
		wait = fsm.NextSlot(e.subject, e.interval, now.Time).Sub(now.Time)
	}
	return min(wait, e.interval)
}

func (s *Scheduler) forget(subject fsm.Subject) {
	if e := s.entries[subject]; e != nil {
		s.loads.charge(e, "", 0)
		e.leave()
		delete(s.looks, e)
		delete(s.entries, subject)
	}
}

// polled is how many polls a claim stands for: each nodes of a full round, the listed ones of a confirming round, one for a
// run.
func (e *entry) polled(c *fsm.Claim) int {
	if c.Reason == fsm.WhyConfirm {
		return len(c.Names)
	}
	return int(e.nodes)
}

// Beat returns the commands of one beat: the claims that have expired, the peers that are doubted, and, unless all scheduling
// is paused, the claims to grant to ready peers. Each entry is left so that a command which never commits is proposed again later.
func (s *Scheduler) Beat(r *fsm.Reader, ready []*fsm.Peer, now Instant) []fsm.Command {
	out := s.loads.doubt(r, now)
	var expired expiries
	s.takeBack(r, &expired, now)
	if s.pause(r, now) {
		return slices.Concat(out, expired.commands())
	}
	s.loads.count(s.given)
	free := s.loads.free(ready, r.Settings().Limits.InFlight, now)
	var grants grants
	var waiting []*entry
	for len(s.due) > 0 && s.due[0].at <= now.Mono && !free.full(s.due[0].on) {
		if e := s.due[0]; !s.grant(r, e, free, &grants, now) {
			e.leave()
			waiting = append(waiting, e)
		}
	}
	for _, e := range waiting {
		s.due.move(e, e.dueAt) // the first to be looked at by the next beat
	}
	s.short, s.freed = len(s.due) > 0 && s.due[0].at <= now.Mono, false
	s.nextLook(now)
	return slices.Concat(out, expired.commands(), grants.commands())
}

// takeBack ends what peers were given for too long: claims expire, and a grant that never came into the log is free again.
// It comes before anything is granted and whether or not there is room, since what nobody completes is what fills peers.
func (s *Scheduler) takeBack(r *fsm.Reader, out *expiries, now Instant) {
	for len(s.given) > 0 && s.given[0].at <= now.Mono {
		e := s.given[0]
		if e.claim == nil {
			s.loads.charge(e, "", 0)
			s.due.move(e, now.Mono)
			continue
		}
		reason := s.whyLost(r, e.claim.Peer)
		if reason == outOfTime {
			if e.lapses > now.Mono { // its holder was lost, and is back
				s.given.move(e, e.lapses)
				continue
			}
			s.loads.expired(e.claim.Peer, now)
		}
		out.add(e.claim, reason)
		s.given.move(e, now.Mono+grantAgain)
	}
}

// Backlog is how many subjects are due and wait for a peer, and for how long the first of them has.
func (s *Scheduler) Backlog(now Instant) (waiting int, oldest time.Duration) {
	for e := range s.due.before(now.Mono + noPeer) {
		if e.dueAt <= now.Mono {
			waiting++
			oldest = max(oldest, now.Mono-e.dueAt)
		}
	}
	return waiting, oldest
}
