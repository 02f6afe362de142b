package refresh

import (
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
	batchIDs   = 2048            // subjects of one ClaimGrant
)

// Scheduler decides, for one leader's term, what is due and which peer gets the claim. Runs of discoveries are scheduled as
// refreshes are: both are claims. It is a step function of the state, the ready peers and the Instant: it has no clock and
// starts nothing. It is for one goroutine.
type Scheduler struct {
	entries map[fsm.Subject]*entry
	due     dueHeap         // what waits for its time or for a peer
	given   dueHeap         // what a peer was given, by when that is taken back
	looks   map[*entry]bool // of due: what is to be looked at again, sooner than its slot
	loads   loads
}

// NewScheduler is a scheduler for a term that begins: it takes up all subjects as the state has them. Open claims get a
// fresh ttl, save those of peers that are gone. What is overdue by more than an interval waits for its next slot, so that
// a group that slept does not fire everything at once.
func NewScheduler(r *fsm.Reader, now Instant) *Scheduler {
	s := &Scheduler{entries: map[fsm.Subject]*entry{}, looks: map[*entry]bool{}, loads: newLoads()}
	for row := range r.Schedules() {
		s.take(r, row, now, true)
	}
	s.Peers(r, now)
	return s
}

// Update reads subjects again whose schedule, claim or settings an entry of the log has touched.
func (s *Scheduler) Update(r *fsm.Reader, touched []fsm.Subject, now Instant) {
	for _, subject := range touched {
		row := r.Schedule(subject)
		if row == nil {
			s.forget(subject)
			continue
		}
		s.take(r, row, now, false)
	}
}

// Peers looks at the peers' rows again: claims of those that are gone expire at the next Beat.
func (s *Scheduler) Peers(r *fsm.Reader, now Instant) {
	for _, e := range s.entries {
		if e.claim != nil && gone(r, e.claim.Peer) {
			s.given.move(e, now.Mono)
		}
	}
}

func gone(r *fsm.Reader, peer string) bool {
	p := r.Peer(peer)
	return p == nil || p.Status == fsm.PeerGone
}

// take brings the entry of a subject up to its row.
func (s *Scheduler) take(r *fsm.Reader, row *fsm.Schedule, now Instant, over bool) {
	e := s.entries[row.Subject]
	if e == nil {
		e = &entry{subject: row.Subject}
		s.entries[row.Subject] = e
	}
	before := e.schedule
	e.schedule = row
	enabled := settings(r, e)
	claim := r.Claim(row.Subject)
	delete(s.looks, e)
	s.loads.note(e, before, claim, now)
	if claim != nil {
		renewed := e.claim == nil || e.claim.Token != claim.Token || e.claim.Parts != claim.Parts
		e.claim = claim
		s.loads.charge(e, claim.Peer, polls(r, claim))
		if renewed {
			s.given.move(e, now.Mono+claim.TTL.Std())
		}
		return
	}
	e.claim = nil
	s.loads.charge(e, "", 0)
	if !enabled {
		e.leave()
		return
	}
	e.dueAt = now.Mono + e.delay(now.Time, over).Std()
	s.due.move(e, e.dueAt)
	if e.why == fsm.WhyConfirm || e.why == fsm.WhyOdd {
		s.looks[e] = true
	}
}

// Look is when the next subject is to be looked at again because of what its last round brought. That is not left to the
// rhythm of the beats: the promise of how soon a dead node is known has no room for it.
func (s *Scheduler) Look() (at time.Duration, ok bool) {
	for e := range s.looks {
		if !ok || e.dueAt < at {
			at, ok = e.dueAt, true
		}
	}
	return at, ok
}

// settings reads how a subject is to be done; false when it is not.
func settings(r *fsm.Reader, e *entry) bool {
	if e.subject.Kind == fsm.KindRun {
		d := r.DiscoveryByID(e.subject.ID)
		e.on, e.interval, e.ttl = d.Spec.On, d.Spec.Interval, runTTL
		if d.Deleting {
			e.on, e.why = fsm.OnAny, fsm.WhyDelete
		}
		return d.Spec.Enabled || d.Deleting
	}
	spec := r.RefreshOf(r.ClusterByID(e.subject.ID))
	e.on, e.interval = spec.On, spec.Interval
	e.ttl = max(minTTL, 3*spec.Timeout+5*fsm.Second)
	return spec.Enabled
}

// delay is how long a subject without a claim waits.
func (e *entry) delay(now fsm.Time, over bool) fsm.Duration {
	at, why := e.schedule.Due(e.interval)
	if e.why != fsm.WhyDelete {
		e.why = why
	}
	if e.fails > 0 && !e.schedule.AtOnce {
		// Counted from the failed run, so that nudges which come and go meanwhile do not put the next full one off.
		wait := min(fsm.Second<<min(e.fails-1, 10), maxBackoff, e.interval)
		return min(max(e.schedule.Done.Add(wait).Sub(now), 0), wait)
	}
	late := now.Sub(at)
	if over && at != 0 && late > e.interval {
		at = fsm.NextSlot(e.subject, e.interval, now)
	}
	return min(max(at.Sub(now), 0), e.interval)
}

func (s *Scheduler) forget(subject fsm.Subject) {
	if e := s.entries[subject]; e != nil {
		s.loads.charge(e, "", 0)
		e.leave()
		delete(s.looks, e)
		delete(s.entries, subject)
	}
}

// polls is how many polls a claim stands for: each nodes of a full round, the listed ones of a confirming round, one for a
// run.
func polls(r *fsm.Reader, c *fsm.Claim) int {
	switch {
	case c.Subject.Kind == fsm.KindRun:
		return 1
	case c.Reason == fsm.WhyConfirm:
		return len(c.Names)
	}
	return polledNodes(r, c.Subject.ID)
}

func polledNodes(r *fsm.Reader, cluster uint64) int {
	n := 0
	for node := range r.Nodes(cluster) {
		if node.Polled() {
			n++
		}
	}
	return n
}

// Beat returns the commands of one beat: the claims that have expired, the peers that are doubted, and the claims to grant
// to ready peers. Each entry is left so that a command which never commits is proposed again later.
func (s *Scheduler) Beat(r *fsm.Reader, ready []*fsm.Peer, now Instant) []fsm.Command {
	out := s.loads.doubt(r, now)
	var expired expiries
	s.takeBack(r, &expired, now)
	free := s.loads.free(ready, r.Settings().Limits.InFlight, now)
	var grants grants
	var waiting []*entry
	for len(s.due) > 0 && s.due[0].at <= now.Mono && (len(free.peers) == 0 || !free.full()) {
		if e := s.due[0]; !s.grant(r, e, free, &grants, now) {
			e.leave()
			waiting = append(waiting, e)
		}
	}
	for _, e := range waiting {
		s.due.move(e, e.dueAt) // the first to be looked at by the next beat
	}
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
		out.add(r, e.claim)
		if !gone(r, e.claim.Peer) {
			s.loads.expired(e.claim.Peer, now)
		}
		s.given.move(e, now.Mono+grantAgain)
	}
}

// grant gives one due subject to the first peer in placement order that may do it and has room; false when none has. For one
// that has waited for longer than its interval a peer is kept free, or small subjects would never leave room for a large one.
func (s *Scheduler) grant(r *fsm.Reader, e *entry, free *room, out *grants, now Instant) bool {
	allowed := Place(e.subject, free.allowed(e.on))
	if len(allowed) == 0 {
		s.due.move(e, now.Mono+noPeer)
		return true
	}
	g := grant{kind: e.subject.Kind, ttl: e.ttl, reason: e.why, alone: len(allowed) == 1 && settled(r, e, now)}
	need := 1
	switch {
	case e.why == fsm.WhyConfirm:
		g.names = unconfirmed(r, e)
		if len(g.names) == 0 {
			e.dueAt = now.Mono + e.delayWithout(now.Time).Std()
			s.due.move(e, e.dueAt)
			delete(s.looks, e)
			return true
		}
		allowed, g.alone = turn(allowed, e.schedule.Notes, g.names)
		g.alone = g.alone && settled(r, e, now)
		need = len(g.names)
	case e.subject.Kind == fsm.KindRefresh:
		need = polledNodes(r, e.subject.ID)
	}
	if e.subject.Kind == fsm.KindRun {
		allowed = free.runners(allowed)
	}
	p := free.take(allowed, need)
	if p == nil {
		if len(allowed) > 0 && now.Mono-e.dueAt > e.interval.Std() {
			free.keep(allowed[0])
		}
		return false
	}
	if e.subject.Kind == fsm.KindRun {
		free.runs[p.ID]--
	}
	g.peer = p.ID
	delete(s.looks, e)
	out.add(g, e.subject.ID)
	s.loads.charge(e, p.ID, need)
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

// turn puts the peers first that have failed the fewest of these nodes, so that the confirming poll goes round; alone is true
// when every allowed peer has failed each of them already.
func turn(allowed []*fsm.Peer, notes *fsm.Notes, names []string) (order []*fsm.Peer, alone bool) {
	tried := map[string]int{}
	for _, name := range names {
		for _, p := range notes.Failure(name).Peers {
			tried[p]++
		}
	}
	slices.SortStableFunc(allowed, func(a, b *fsm.Peer) int { return tried[a.ID] - tried[b.ID] })
	return allowed, tried[allowed[0].ID] == len(names)
}

// Backlog is how many subjects are due and wait for a peer, and for how long the first of them has.
func (s *Scheduler) Backlog(now Instant) (waiting int, oldest time.Duration) {
	for _, e := range s.due {
		if e.dueAt <= now.Mono {
			waiting++
			oldest = max(oldest, now.Mono-e.dueAt)
		}
	}
	return waiting, oldest
}
