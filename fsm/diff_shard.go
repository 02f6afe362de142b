package fsm

import (
	"slices"
	"strings"
)

// orderedShards is a report's shards by id, one for each.
func orderedShards(shards []Shard) []Shard {
	for i := 1; i < len(shards); i++ {
		if shards[i-1].ID >= shards[i].ID {
			return sortShards(slices.Clone(shards))
		}
	}
	return shards
}

// shards compares the shards a node holds with those it says it holds. Roles are facts; offset and lag by themselves are
// not, and are taken only along with a fact of their shard.
func (d *diff) shards(n *Node, says []Shard) {
	held := n.Said.Shards
	for len(held) > 0 || len(says) > 0 {
		switch {
		case len(says) == 0 || len(held) > 0 && held[0].ID < says[0].ID:
			d.dropShard(n.ID, &held[0])
			held = held[1:]
		case len(held) == 0 || says[0].ID < held[0].ID:
			d.tell(ShardAdded, n.ID, says[0].ID, seen(&says[0]))
			d.lag(n.ID, nil, &says[0])
			says = says[1:]
		default:
			if held[0].Role != says[0].Role {
				d.tell(ShardChanged, n.ID, says[0].ID, seen(&says[0]))
			}
			d.lag(n.ID, held[0].High, &says[0])
			held, says = held[1:], says[1:]
		}
	}
}

// dropShard tells that a shard is gone; a lag past the limit, being a fact of its own, ends first.
func (d *diff) dropShard(node string, s *Shard) {
	if s.High != nil {
		d.tell(ShardLagOK, node, s.ID, &LagPart{})
	}
	d.tell(ShardRemoved, node, s.ID, nil)
}

func seen(s *Shard) *ShardPart { return &ShardPart{Role: s.Role, Offset: s.Offset, LagMS: s.LagMS} }

// lag tells when a shard's lag reaches lag_limit, and when it has fallen below four fifths of it, is no longer reported
// (as by a replica that became the primary), or has no limit any more. Between the two it stays what it was.
func (d *diff) lag(node string, high *High, s *Shard) {
	limit := int64(d.Spec.LagLimit)
	switch {
	case high == nil && limit > 0 && s.LagMS != nil && *s.LagMS >= limit:
		d.tell(ShardLagHigh, node, s.ID, &LagPart{High: &High{LagMS: *s.LagMS, Since: d.Now}})
	case high != nil && (limit <= 0 || s.LagMS == nil || *s.LagMS < limit-limit/5):
		d.tell(ShardLagOK, node, s.ID, &LagPart{})
	}
}

// claim keeps which shards a believed node says it is the primary of.
func (d *diff) claim(node string, says []Shard) {
	for i := range says {
		if says[i].Role == RolePrimary {
			d.claims = append(d.claims, claimant{says[i].ID, node})
		}
	}
}

// claimant is a node that says it is the primary of a shard.
type claimant struct{ shard, node string }

func (c claimant) compare(o claimant) int {
	if c.shard != o.shard {
		return strings.Compare(c.shard, o.shard)
	}
	return strings.Compare(c.node, o.node)
}
