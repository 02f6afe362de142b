package fsm_test

import (
	"slices"

	"github.com/musterhq/muster/fsm"
)

// part is one part of what the holder of a claim reports.
type part struct {
	ticket fsm.Ticket
	number uint32
}

// claimed checks what an entry did to the claims: at most one is open for a subject (I3), tokens grow, each is closed once
// and by what may close it (I4), and each part is accepted once and never after the last (I1).
func (l *ledger) claimed(r *fsm.Reader, e *entry, before *fsm.Reader, a *fsm.Applied) {
	gone := map[fsm.Ticket]bool{}
	for i, c := range e.commands {
		if res := &a.Results[i]; res.Error == nil && !res.Already {
			l.accepted(c, res)
		}
	}
	for _, c := range a.Closed {
		ticket := c.Ticket()
		if gone[ticket] = true; l.over[ticket] {
			l.t.Fatalf("claim %+v is closed twice", ticket)
		}
		l.over[ticket] = true
		if was := before.Claim(c.Subject); c.Token != e.index && (was == nil || was.Token != c.Token) {
			l.t.Fatalf("claim %+v is closed and was not open", ticket)
		}
		l.granted(c, e)
		if !slices.ContainsFunc(e.commands, func(cmd fsm.Command) bool { return closes(cmd, c, before, r) }) {
			l.t.Fatalf("claim %+v is closed by %s", ticket, names(e, a))
		}
	}
	for c := range before.Claims() {
		if now := r.Claim(c.Subject); !gone[c.Ticket()] && (now == nil || now.Token != c.Token) {
			l.t.Fatalf("claim %+v went without being closed", c.Ticket())
		}
	}
	var news []*fsm.Claim
	for c := range r.Claims() {
		if l.over[c.Ticket()] {
			l.t.Fatalf("claim %+v is open again", c.Ticket())
		}
		if l.granted(c, e); c.Token == e.index {
			news = append(news, c)
		}
		if r.Schedule(c.Subject) == nil {
			l.t.Fatalf("claim %+v has no schedule", c.Ticket())
		}
	}
	if !slices.EqualFunc(news, a.Granted, func(a, b *fsm.Claim) bool { return a.Ticket() == b.Ticket() }) {
		l.t.Fatalf("granted are %+v, open are %+v", a.Granted, news)
	}
}

// granted takes in a claim that is or was open.
func (l *ledger) granted(c *fsm.Claim, e *entry) {
	switch last := l.tokens[c.Subject]; {
	case c.Token == last:
	case c.Token < last || c.Token != e.index:
		l.t.Fatalf("claim %+v comes after token %d in entry %d", c.Ticket(), last, e.index)
	default:
		l.tokens[c.Subject] = c.Token
	}
}

// accepted takes in a part that was accepted.
func (l *ledger) accepted(c fsm.Command, res *fsm.Result) {
	var p part
	switch c := c.(type) {
	case *fsm.RunComplete:
		p = part{fsm.Ticket{Subject: fsm.Subject{Kind: fsm.KindRun, ID: c.Discovery}, Token: c.Token}, c.Part}
	case *fsm.RefreshComplete:
		p = part{fsm.Ticket{Subject: fsm.Subject{Kind: fsm.KindRefresh, ID: c.Cluster}, Token: c.Token}, c.Part}
	default:
		return
	}
	if l.parts[p] || l.over[p.ticket] {
		l.t.Fatalf("part %+v is accepted again, or after the last", p)
	}
	l.parts[p] = true
	if !res.Closed && (res.Claim == nil || res.Claim.Parts != p.number+1) {
		l.t.Fatalf("after part %d the claim is %+v", p.number, res.Claim)
	}
}

// closes says whether a command may close a claim.
func closes(c fsm.Command, claim *fsm.Claim, before, after *fsm.Reader) bool {
	id, run := claim.Subject.ID, claim.Subject.Kind == fsm.KindRun
	switch c := c.(type) {
	case *fsm.RunComplete:
		gone := !run && after.ClusterByID(id) == nil
		return gone || run && c.Discovery == id && c.Token == claim.Token && c.Outcome != nil
	case *fsm.RefreshComplete:
		return !run && c.Cluster == id && c.Token == claim.Token && c.Last
	case *fsm.RefreshUnchanged:
		return !run && slices.ContainsFunc(c.Groups, func(g fsm.Unchanged) bool {
			return g.Token == claim.Token && slices.Contains(g.Clusters, id)
		})
	case *fsm.ClaimAbandon:
		return slices.Contains(c.Claims, claim.Ticket())
	case *fsm.ClaimExpire:
		return c.Peer == claim.Peer && slices.Contains(c.Claims, claim.Ticket())
	case *fsm.ClusterChange:
		return !run && after.ClusterByID(id) == nil
	case *fsm.DiscoveryApply:
		return run && named(c.Name, id, before, after)
	case *fsm.DiscoveryDelete:
		return run && named(c.Name, id, before, after)
	}
	return false
}

func named(name string, id uint64, readers ...*fsm.Reader) bool {
	return slices.ContainsFunc(readers, func(r *fsm.Reader) bool {
		d := r.DiscoveryByID(id)
		return d != nil && d.Name == name
	})
}
