package world

import (
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// reconcile keeps the rows of peers in step with who is heard.
func (t *term) reconcile() {
	r := t.p.Read()
	for _, p := range t.w.peers {
		row := r.Peer(p.id)
		if !p.member {
			if row != nil {
				t.change(p.id, &fsm.PeerRemove{ID: p.id, Reason: "left"})
			}
			continue
		}
		if next := t.rowOf(p, row); next != nil {
			t.change(p.id, &fsm.PeerSet{Peer: *next})
		}
	}
	t.raise(r)
	if p := r.Settings().Pause; p != nil && !p.Holds(t.instant().Time) {
		t.change("pause", &fsm.ScheduleResume{Until: p.Until, Cause: fsm.Cause{Kind: fsm.CauseGroup}})
	}
}

// rowOf is a peer's row where it must be written anew, else nil.
func (t *term) rowOf(p *peer, row *fsm.Peer) *fsm.Peer {
	now := t.w.now
	at, heard := t.heardAt[p]
	if p == t.p || heard && now-at < heardFor {
		if row != nil && row.Status == fsm.PeerAlive && row.Release == p.release {
			return nil
		}
		next := p.row()
		if row != nil {
			next.Doubted = row.Doubted
		}
		return &next
	}
	if row == nil || row.Failed != 0 || now-max(at, t.began) < failAfter {
		return nil
	}
	next := *row
	if next.Status = fsm.PeerGone; t.p.Read().Meta().Feature >= 2 {
		next.Failed = t.instant().Time
	} else if row.Status == fsm.PeerGone {
		return nil
	}
	return &next
}

// change proposes a row of a peer, and not the next one for a second.
func (t *term) change(id string, c fsm.Command) {
	if at, ok := t.rows[id]; ok && t.w.now-at < time.Second {
		return
	}
	t.rows[id] = t.w.now
	t.add(&proposal{frame: fsm.Frame(c)}, false)
}

// silent tells the scheduler who has not been heard for long.
func (t *term) silent(now refresh.Instant) {
	for _, p := range t.w.peers {
		at, heard := t.heardAt[p]
		if p != t.p && (heard && t.w.now-at >= silentFor || !heard && now.Mono >= time.Second) {
			t.sched.Silent(p.id, now)
		}
	}
}

// retain trims the events that are beyond a limit.
func (t *term) retain() {
	if c := t.p.Read().Excess(t.instant().Time); c != nil {
		t.w.count.add("trim")
		t.add(&proposal{frame: fsm.Frame(c.Bite(t.p.Read().Meta()))}, false)
	}
}
