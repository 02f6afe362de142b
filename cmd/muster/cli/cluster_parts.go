package cli

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// nodesOf is a cluster's nodes, unwell ones first.
func (p *Program) nodesOf(s *sight) *table.Table {
	heads := []string{"Node", "State", "Reach", "Role", "Lag", "Version", "Address", "Marks"}
	says := map[string]httpd.Answer{}
	if s.live != nil {
		heads = slices.Insert(heads, 1, "Now")
		for _, l := range s.live {
			says[l.Node] = l.Says
		}
	}
	t := table.New(heads...)
	nodes := slices.Clone(s.Nodes)
	slices.SortStableFunc(nodes, func(a, b httpd.NodeRow) int {
		return cmp.Or(cmp.Compare(urgency(&a), urgency(&b)), strings.Compare(a.ID, b.ID))
	})
	for i := range nodes {
		n := &nodes[i]
		row := []any{
			n.ID, p.state(n), p.reach(n), roles(n.Shards), lag(n.Shards), dash(n.Version),
			hostPort(n.Address, n.Port), marks(n),
		}
		if s.live != nil {
			now, asked := says[n.ID]
			row = slices.Insert(row, 1, any(nowSays(n, now, asked)))
		}
		t.Row(row...)
	}
	return t
}

// urgency orders nodes that want attention before those that count and are well, and those before the rest.
func urgency(n *httpd.NodeRow) int {
	counted := n.Lifecycle == fsm.Commissioned && n.Presence == fsm.Present
	switch {
	case counted && !well(n):
		return 0
	case n.Presence == fsm.Missing || n.Lifecycle == fsm.Discovered:
		return 1
	case counted:
		return 2
	}
	return 3
}

// state is what a node says of itself, with since when and why where it is not up.
func (p *Program) state(n *httpd.NodeRow) table.Cell {
	if n.State.Value == "" || n.State.Since == 0 {
		return table.Cell{Text: "-", Mood: table.Dim}
	}
	if lastWord(n) {
		return table.Cell{Text: "was " + n.State.Value, Mood: table.Dim}
	}
	if n.State.Value == fsm.StateUp {
		return table.Cell{Text: n.State.Value, Mood: table.Good}
	}
	return table.Cell{Text: p.axis(n.State), Mood: table.Bad}
}

// lastWord says whether a node's state is an old word of its: it cannot be asked, or somebody else answers.
func lastWord(n *httpd.NodeRow) bool { return n.Reach.Value == fsm.NotReachable || n.Identity.Mismatch }

func hostPort(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }

func (p *Program) reach(n *httpd.NodeRow) table.Cell {
	switch n.Reach.Value {
	case "":
		return table.Cell{Text: "not asked yet", Mood: table.Dim}
	case fsm.Reachable:
		c := table.Cell{Text: n.Reach.Value, Mood: table.Good}
		if n.Failures > 0 {
			c = table.Cell{Text: fmt.Sprintf("reachable, %d failed", n.Failures), Mood: table.Warn}
		}
		return c
	}
	return table.Cell{Text: p.axis(n.Reach), Mood: table.Bad}
}

// axis is a word with since when and why.
func (p *Program) axis(a fsm.Axis) string {
	text := a.Value
	if a.Since != 0 {
		text += " " + p.ago(a.Since)
	}
	if a.Reason != "" {
		text += ", " + a.Reason
	}
	return text
}

// roles tells a node's part in its shards.
func roles(shards []fsm.Shard) string {
	count := map[string]int{}
	var order []string
	for i := range shards {
		role := shards[i].Role
		if count[role]++; count[role] == 1 {
			order = append(order, role)
		}
	}
	slices.Sort(order) // primary before recovering and replica
	for i, role := range order {
		if len(shards) > 1 {
			order[i] = counted(count[role], role, role+"s")
		}
	}
	return dash(strings.Join(order, ", "))
}

// counted is a number of things.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// lag is the worst of a node's shards.
func lag(shards []fsm.Shard) table.Cell {
	c := table.Cell{Text: "-"}
	worst := int64(-1)
	for i := range shards {
		s := &shards[i]
		ms := int64(-1)
		if s.LagMS != nil {
			ms = *s.LagMS
		}
		if s.High != nil {
			ms, c.Mood = max(ms, s.High.LagMS), table.Bad
		}
		worst = max(worst, ms)
	}
	if worst >= 0 {
		c.Text = span(worst)
	}
	return c
}

// span is milliseconds for people.
func span(ms int64) string {
	if ms == 0 {
		return "0"
	}
	return table.Age(time.Duration(ms) * time.Millisecond)
}

// marks are what sets a node apart from a present, commissioned one.
func marks(n *httpd.NodeRow) table.Cell {
	var words []string
	if n.Presence == fsm.Missing {
		words = append(words, "missing")
	}
	switch n.Lifecycle {
	case fsm.Discovered:
		words = append(words, "pending")
	case fsm.Maintenance, fsm.Decommissioned:
		words = append(words, string(n.Lifecycle))
	}
	if n.Identity.Mismatch {
		words = append(words, "says it is "+n.Identity.SaysCluster+"/"+n.Identity.SaysNode)
	}
	for _, s := range n.Sources {
		if s.AbsentSince != 0 && n.Presence == fsm.Present {
			words = append(words, "absent from "+s.Discovery)
		}
	}
	return table.Cell{Text: strings.Join(words, ", "), Mood: table.Warn}
}

// nowSays is what a node said just now; what differs from the view stands out.
func nowSays(n *httpd.NodeRow, a httpd.Answer, asked bool) table.Cell {
	if !asked {
		return table.Cell{Text: "not asked", Mood: table.Dim}
	}
	if a.Reach.Value != fsm.Reachable {
		c := table.Cell{Text: "unreachable, " + a.Reach.Reason, Mood: table.Bad}
		return c
	}
	words := []string{a.State.Value}
	if len(a.Shards) > 0 {
		words = append(words, roles(a.Shards), "lag "+lag(a.Shards).Text)
	}
	c := table.Cell{Text: strings.Join(words, ", "), Mood: table.Good}
	if a.State.Value != n.State.Value || n.Reach.Value != fsm.Reachable || roles(a.Shards) != roles(n.Shards) ||
		a.Version != n.Version {
		c.Mood = table.Warn
		c.Text += " (changed)"
	}
	return c
}

// shardsOf is a cluster's shards, with the one that has trouble first.
func (p *Program) shardsOf(s *sight) *table.Table {
	t := table.Columns(table.Column{Head: "Shard"}, table.Column{Head: "Primary"}, table.Column{Head: "Replicas"},
		table.Column{Head: "Worst lag", Right: true})
	shards := slices.Clone(s.Shards)
	slices.SortStableFunc(shards, func(a, b httpd.ShardRow) int { return strings.Compare(b.State, a.State) })
	for i := range shards {
		r := &shards[i]
		var replicas []string
		var held []fsm.Shard
		for _, n := range r.Nodes {
			held = append(held, fsm.Shard{Role: n.Role, LagMS: n.LagMS, High: n.High})
			switch {
			case n.Node == r.Primary:
			case n.Role == fsm.RoleReplica:
				replicas = append(replicas, n.Node)
			default:
				replicas = append(replicas, n.Node+" ("+n.Role+")")
			}
		}
		t.Row(r.ID, primary(r), dash(strings.Join(replicas, ", ")), lag(held))
	}
	return t
}

func primary(r *httpd.ShardRow) table.Cell {
	switch r.State {
	case fsm.PrimaryLost:
		return table.Cell{Text: "lost, was " + dash(r.Primary), Mood: table.Bad}
	case fsm.PrimaryDuplicated:
		return table.Cell{Text: "several, was " + dash(r.Primary), Mood: table.Bad}
	}
	return table.Cell{Text: dash(r.Primary)}
}
