package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// fact is a line of what is known of one thing.
type fact struct {
	name string
	table.Cell
}

func (p *Program) writeFacts(facts []fact) {
	width := 0
	for _, f := range facts {
		width = max(width, len(f.name))
	}
	for _, f := range facts {
		if f.Text != "" {
			fmt.Fprintf(p.Out, "%s  %s\n", p.ink.Paint(table.Head, fmt.Sprintf("%-*s", width, f.name)),
				p.ink.Paint(f.Mood, table.Clean(f.Text)))
		}
	}
}

func plain(name, text string) fact { return fact{name, table.Cell{Text: text}} }

func (p *Program) clusterFacts(s *sight) []fact {
	state := health(s.Health)
	if s.turned != nil {
		state.Text += " for " + p.ago(s.turned.Time)
	}
	if len(s.Reasons) > 0 {
		state.Text += ": " + strings.Join(s.Reasons, ", ")
	}
	facts := []fact{
		plain("As of", s.then), plain("Cluster", s.Name),
		{"Health", state},
		plain("Nodes", tally(s.Nodes)), plain("Store", store(s.Kinds, s.Versions)),
		plain("Group", s.Group), plain("Labels", labels(s.Labels)), plain("Vars", vars(s.Settings.Vars)),
		plain("Guards", guards(s.Settings.Guards)), plain("Discovery", sources(s.Nodes)),
	}
	if s.then != "" { // no event tells how it was asked
		return facts
	}
	return append(facts, plain("Refresh", s.howAsked()), fact{"Refreshed", p.lastRefresh(s)}, fact{"Next", p.nextRefresh(s)})
}

// tally counts nodes in words.
func tally(nodes []httpd.NodeRow) string {
	var c struct{ well, unwell, missing, pending, maintenance, decommissioned int }
	for i := range nodes {
		n := &nodes[i]
		switch n.Lifecycle {
		case fsm.Discovered:
			c.pending++
		case fsm.Maintenance:
			c.maintenance++
		case fsm.Decommissioned:
			c.decommissioned++
		case fsm.Commissioned:
			if n.Presence == fsm.Present && well(n) {
				c.well++
			} else if n.Presence == fsm.Present {
				c.unwell++
			}
		}
		if n.Presence == fsm.Missing {
			c.missing++
		}
	}
	words := []string{fmt.Sprintf("%d of %d well", c.well, len(nodes))}
	add := func(n int, what string) {
		if n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(c.unwell, "unwell")
	add(c.missing, "missing")
	add(c.pending, "pending")
	add(c.maintenance, "in maintenance")
	add(c.decommissioned, "decommissioned")
	return strings.Join(words, ", ")
}

func well(n *httpd.NodeRow) bool {
	return n.Reach.Value == fsm.Reachable && n.State.Value == fsm.StateUp && !n.Identity.Mismatch
}

func labels(m map[string]string) string {
	out := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}

func vars(v fsm.JSON) string {
	if v == "{}" {
		return ""
	}
	return string(v)
}

// sources names the discoveries that list any of the nodes.
func sources(nodes []httpd.NodeRow) string {
	seen := map[string]bool{}
	for i := range nodes {
		for _, s := range nodes[i].Sources {
			seen[s.Discovery] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
}

// howAsked tells the refresh settings in force, and which of them are the cluster's own.
func (s *sight) howAsked() string {
	value := func(key string) string {
		word, _ := json.Marshal(s.effective.Refresh[key].Value) //nolint:errchkjson // it came as JSON
		return strings.Trim(string(word), `"`)
	}
	text := fmt.Sprintf("%s every %s, timeout %s, lag limit %s", value("prober"), value("interval"), value("timeout"), value("lag_limit"))
	if on := value("on"); on != "any" {
		text += ", on " + on
	}
	var own []string
	for key, v := range s.effective.Refresh {
		if v.From == "cluster" {
			own = append(own, key)
		}
	}
	if slices.Sort(own); len(own) > 0 {
		text += " (its own: " + strings.Join(own, ", ") + ")"
	}
	return text
}

func (p *Program) lastRefresh(s *sight) table.Cell {
	last := s.LastRefresh
	if last.At == 0 {
		return table.Cell{Text: "never yet", Mood: table.Dim}
	}
	c := table.Cell{Text: fmt.Sprintf("%s ago by %s in %s: %s", p.ago(last.At), dash(last.Peer), took(last.Took), last.Outcome)}
	if last.Error != "" {
		c.Text += ", " + last.Error
	}
	if last.Outcome == fsm.OutcomeFailed {
		c.Mood = table.Bad
	}
	return c
}

func (p *Program) nextRefresh(s *sight) table.Cell {
	switch {
	case s.NextRefresh == 0:
		return table.Cell{Text: "refreshing is off", Mood: table.Warn}
	case s.Overdue > 0:
		return table.Cell{Text: "overdue for " + p.ago(s.NextRefresh), Mood: table.Warn}
	}
	return table.Cell{Text: "in " + p.ahead(s.NextRefresh)}
}
