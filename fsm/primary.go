package fsm

import (
	"slices"
	"strings"
)

// primaries judges, in a full round, who leads each shard that someone claims, that has a known primary, or of which a
// first odd round is noted.
//
// Only nodes that answered and were believed claim. One claimant is the primary at once when it is another node than the
// known one or there was none, and restored when it is the known one after a loss. None or several must be seen in two
// full rounds in a row: the first is a note, and the other kind of oddness starts anew. A round that neither says so
// clearly nor is right leaves the note. What already stands as lost or double needs no note.
//
// A silent node (one that is polled and not yet unreachable, but was not believed in this round) decides nothing: the
// primary is not missed while the known one is silent, and of several known claimants a silent one still claims. So a
// failed poll alone never changes who leads. So does one whose answer was cut before it came to the shard (unsaid).
//
// What is known of shards that no polled node holds lasts as long as that, but of no more of them than the nodes could hold,
// or a node that names other shards in every answer would make the list grow without end.
func (d *diff) primaries() {
	slices.SortFunc(d.claims, claimant.compare)
	claims, known, odd := d.claims, d.view.Cluster.Primaries, d.was.Odd
	for len(claims)+len(known)+len(odd) > 0 {
		s := seat{shard: leastShard(claims, known, odd)}
		if len(known) > 0 && known[0].Shard == s.shard {
			s.known, known = &known[0], known[1:]
		}
		if len(odd) > 0 && odd[0].Shard == s.shard {
			s.odd, odd = &odd[0], odd[1:]
		}
		n := 0
		for n < len(claims) && claims[n].shard == s.shard {
			n++
		}
		s.claims, claims = claims[:n], claims[n:]
		if !s.right() {
			d.decide(&s)
		}
	}
	d.seatAll()
}

// seat is the primary's place in one shard, as it was known and as it is claimed.
type seat struct {
	shard  string
	known  *Primary // nil for a shard that never had one
	odd    *Odd     // the note on it
	claims []claimant
}

// right says whether the known primary alone claims the seat.
func (s *seat) right() bool {
	return len(s.claims) == 1 && s.known != nil && s.known.State == "" && s.known.Node == s.claims[0].node
}

func (s *seat) duplicated() bool { return s.known != nil && s.known.State == PrimaryDuplicated }

func leastShard(claims []claimant, known []Primary, odd []Odd) string {
	least, found := "", false
	consider := func(shard string) {
		if !found || shard < least {
			least, found = shard, true
		}
	}
	if len(claims) > 0 {
		consider(claims[0].shard)
	}
	if len(known) > 0 {
		consider(known[0].Shard)
	}
	if len(odd) > 0 {
		consider(odd[0].Shard)
	}
	return least
}

func (d *diff) decide(s *seat) {
	switch nodes := d.claimants(s); len(nodes) {
	case 0:
		d.vacant(s)
	case 1:
		d.taken(s, nodes[0])
	default:
		d.contested(s, nodes)
	}
}

// claimants are the nodes that claim the seat, sorted, with the silent ones that claimed it before and have not given it up
// since.
func (d *diff) claimants(s *seat) []string {
	nodes := make([]string, 0, len(s.claims))
	for _, c := range s.claims {
		nodes = append(nodes, c.node)
	}
	if s.duplicated() {
		for _, node := range s.known.Nodes {
			if d.silent(node) && d.leads(node, s.shard) || d.unsaid(node, s.shard) {
				nodes = append(nodes, node)
			}
		}
		slices.Sort(nodes)
	}
	return nodes
}

// leads says whether a node's last word is that it is the primary of a shard, or was cut before it came to it.
func (d *diff) leads(node, shard string) bool {
	n := d.view.Nodes[node]
	if s := n.Shard(shard); s != nil {
		return s.Role == RolePrimary
	}
	return cutBefore(n.Said.Attributes, n.Said.Shards, shard)
}

func (d *diff) taken(s *seat, node string) {
	switch {
	case s.known == nil || s.known.Node != node:
		d.tellSeat(ShardPrimaryChanged, s.shard, &PrimaryPart{Primary: node, Since: d.Now})
	case s.known.State != "":
		d.tellSeat(ShardPrimaryRestored, s.shard, &PrimaryPart{Primary: node, Since: d.Now})
	}
}

// contested handles several claimants. The known primary stays known; where there was none it is the first by id.
func (d *diff) contested(s *seat, nodes []string) {
	switch {
	case s.duplicated() && slices.Equal(s.known.Nodes, nodes):
	case s.duplicated() || s.odd != nil && s.odd.Many:
		primary := nodes[0]
		if s.known != nil {
			primary = s.known.Node
		}
		d.tellSeat(ShardPrimaryDuplicate, s.shard, &PrimaryPart{
			Primary: primary, State: PrimaryDuplicated, Nodes: nodes, Since: d.Now,
		})
	default:
		d.note(s.shard, true)
	}
}

// vacant handles a seat that nobody claims. A shard that no polled node holds any more is gone, not lost, when the known
// primary is well, and so dropped it knowingly, or is itself gone.
func (d *diff) vacant(s *seat) {
	if s.known == nil {
		if d.unheard(s.shard) {
			d.note(s.shard, s.odd.Many)
		}
		return
	}
	n, held := d.polled(s.known.Node), d.held(s.shard)
	if !held {
		d.unheld++
	}
	switch {
	case !held && (n == nil || d.unheld > MaxShards*len(d.view.Nodes)):
		d.tellSeat(ShardPrimaryChanged, s.shard, nil)
	case d.silent(s.known.Node), d.unsaid(s.known.Node, s.shard):
		if s.odd != nil {
			d.note(s.shard, s.odd.Many)
		}
	case !held && n.Well():
		d.tellSeat(ShardPrimaryChanged, s.shard, nil)
	case s.known.State == PrimaryLost:
	case s.odd != nil && !s.odd.Many:
		d.tellSeat(ShardPrimaryLost, s.shard, &PrimaryPart{Primary: s.known.Node, State: PrimaryLost, Since: d.Now})
	default:
		d.note(s.shard, false)
	}
}

func (d *diff) note(shard string, many bool) {
	d.now.Odd = append(d.now.Odd, Odd{Shard: shard, Many: many})
}

// silent says whether nothing was learned of the node in this round though it may well be there.
func (d *diff) silent(node string) bool {
	n := d.polled(node)
	return n != nil && n.Reach.Value != NotReachable && !d.believed(node)
}

// unsaid says whether the node's answer was cut before it came to the shard, so that nothing is known of its part in it.
func (d *diff) unsaid(node, shard string) bool {
	if !d.believed(node) {
		return false
	}
	rep := d.report(node)
	return cutBefore(rep.Attributes, rep.Shards, shard)
}

// cutBefore says whether an answer was cut before it came to a shard: what is left out comes after all that is listed.
func cutBefore(attributes map[string]string, shards []Shard, shard string) bool {
	return strings.Contains(attributes[AttributeCut], cutShards) &&
		!slices.ContainsFunc(shards, func(s Shard) bool { return s.ID >= shard })
}

// held says whether a polled node holds the shard, by its last word.
func (d *diff) held(shard string) bool {
	for _, n := range d.view.Nodes {
		if n.Polled() && n.Shard(shard) != nil {
			return true
		}
	}
	return false
}

// unheard says whether a node that holds the shard is silent.
func (d *diff) unheard(shard string) bool {
	for id, n := range d.view.Nodes {
		if n.Shard(shard) != nil && d.silent(id) {
			return true
		}
	}
	return false
}
