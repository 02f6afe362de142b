package fsm

// A listing's full reads without its node, in a row, that are enough to believe it is gone: two where they lie close
// together, three where they do not. Counting ends there.
const (
	enoughReads = 3
	closeReads  = 2
)

// missed takes in that a full read of the running discovery does not list a node of its own.
//
// The discovery speaks for its own listing alone: the node is missing once the listings of all enabled discoveries are
// gone, and each discovery drops its listing when its own remove_after has passed, so that the node goes with its last
// one. A disabled discovery reads nothing: its listing does not keep a node from being missing, but it does keep it from
// being removed. The listings of a node with an operator's word stay, so that presence takes over where it left off when
// the word is taken back.
func (e *enlistment) missed(node string, now Time) {
	n, own := e.view.Nodes[node], e.own(node)
	if n == nil { // forgotten meanwhile
		e.drop(node)
		return
	}
	spec := &e.discoveries[e.discovery].Spec
	next := own.missedAt(now, spec)
	expired := next.gone(spec) && now.Sub(next.AbsentSince) >= spec.RemoveAfter && !n.Word()
	if !expired {
		e.put(next)
	} else {
		*own = next
	}
	if n.Presence != Missing && e.gone(node) {
		e.tell(NodeMissing, node, &PresencePart{Presence: Missing})
	}
	if expired {
		e.drop(node)
	}
	if expired && len(e.listings[node]) == 0 {
		e.tell(NodeRemoved, node, nil)
		return
	}
	e.relist(n)
}

// gone says whether every enabled discovery that lists the node holds it for gone. The one that runs is among them.
func (e *enlistment) gone(node string) bool {
	for i := range e.listings[node] {
		l := &e.listings[node][i]
		d := e.discoveries[l.Discovery]
		if d != nil && d.Spec.Enabled && !d.Deleting && !l.gone(&d.Spec) {
			return false
		}
	}
	return true
}

// missedAt is the listing after a full read at now that does not list it. It is the same where nothing follows from that
// read, so that an unchanged run writes nothing, and where the read was counted before.
func (l *Listing) missedAt(now Time, s *Spec) Listing {
	next := *l
	switch {
	case l.AbsentSince == 0:
		next.AbsentSince, next.AbsentReads, next.LastRead = now, 1, now
		return next
	case now <= l.LastRead:
		return next
	}
	next.AbsentReads, next.LastRead = min(l.AbsentReads+1, enoughReads), now
	if next.AbsentReads == l.AbsentReads && next.gone(s) == l.gone(s) {
		return *l
	}
	return next
}

// gone says whether the discovery had missed the node long and often enough at the last read that was counted. The first
// of two reads is the one of AbsentSince, so the row alone tells how far apart they lie.
func (l *Listing) gone(s *Spec) bool {
	absent := l.LastRead.Sub(l.AbsentSince)
	switch {
	case l.AbsentSince == 0 || absent < s.MissingAfter:
		return false
	case l.AbsentReads == closeReads:
		return absent <= 2*s.Interval
	}
	return l.AbsentReads >= enoughReads
}
