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

// expiries collects the claims to take away in a beat: one command for each peer and reason.
type expiries struct {
	list []*fsm.ClaimExpire
}

func (x *expiries) add(r *fsm.Reader, c *fsm.Claim) {
	reason := "ttl"
	if gone(r, c.Peer) {
		reason = "peer_gone"
	}
	i := slices.IndexFunc(x.list, func(e *fsm.ClaimExpire) bool { return e.Peer == c.Peer && e.Reason == reason })
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
