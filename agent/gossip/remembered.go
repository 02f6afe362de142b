package gossip

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// rememberLimit bounds how many addresses outlive the process.
const rememberLimit = 256

// Remembered are the last known addresses of other peers, by id. The owner
// keeps them across restarts.
type Remembered map[string]Address

// Address is where a peer was when it was last seen alive.
type Address struct {
	Gossip string    `json:"gossip"` // ip:port
	Peer   string    `json:"peer"`   // host:port
	Seen   time.Time `json:"seen"`
}

// Snapshot gives the addresses worth keeping across a restart: those the
// process was started with and those it has learned since, without members
// that left or belong to another group. At most 256, the latest seen.
func (g *Gossip) Snapshot() Remembered {
	out := maps.Clone(g.cfg.Remembered)
	if out == nil {
		out = Remembered{}
	}
	now := time.Now()
	for _, m := range g.Members() {
		switch m.Status {
		case Left:
			delete(out, m.ID)
		case Alive:
			out[m.ID] = Address{Gossip: m.GossipAddr, Peer: m.PeerAddr, Seen: now.Round(0)}
		default:
			out[m.ID] = Address{Gossip: m.GossipAddr, Peer: m.PeerAddr, Seen: m.Since.Round(0)}
		}
	}
	delete(out, g.cfg.Self.ID)
	return out.latest(rememberLimit)
}

func (r Remembered) latest(n int) Remembered {
	ids := slices.SortedFunc(maps.Keys(r), func(a, b string) int {
		return cmp.Or(r[b].Seen.Compare(r[a].Seen), cmp.Compare(a, b))
	})
	for _, id := range ids[min(n, len(ids)):] {
		delete(r, id)
	}
	return r
}

// PeerAddr tells where to reach the peer port of id: what gossip says now,
// else what was remembered. It says nothing about whether the peer is alive.
func (g *Gossip) PeerAddr(id string) (addr string, ok bool) {
	if m, known := g.roster.member(id); known {
		return m.PeerAddr, m.PeerAddr != ""
	}
	a, ok := g.cfg.Remembered[id]
	return a.Peer, ok && a.Peer != ""
}
