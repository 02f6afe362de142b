package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const lastEvents = 8

func (p *Program) clusterShow() *cobra.Command {
	var live bool
	var at string
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show all about a cluster: its health and why, its nodes, shards and last events",
		Long: `Shows one cluster on one screen: how it is, since when and why, where it comes from and how it is
asked, its nodes and shards, and what changed last. Lag is that of the last change; -live asks the
nodes now and puts what they say beside the view, storing nothing. -at shows the cluster as it was after
an event, as long as that is kept; muster event list shows their numbers.`,
		Example: `  muster cluster show orders
  muster cluster show -live orders
  muster cluster show -at 4711 orders
  muster cluster show -format=json orders`,
		Args: exactly(1),
	}
	c.RunE = p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
		if c.Flags().Changed("at") { // one that is empty is refused, not taken for now
			return p.showThen(ctx, api, args[0], at, live)
		}
		s, err := p.lookAt(ctx, api, args[0], live)
		if err != nil {
			return err
		}
		if p.json() {
			return p.writeJSON(s.answer())
		}
		return p.writeCluster(s)
	})
	c.Flags().BoolVar(&live, "live", false, "ask the nodes now, too")
	c.Flags().StringVar(&at, "at", "", "show it as it was after the event of that `SEQ` or cursor")
	return c
}

// showThen shows a cluster as it was; ages are those of then.
func (p *Program) showThen(ctx context.Context, api *httpd.Client, name, at string, live bool) error {
	if live {
		return errors.New("-at shows what was, and -live what is now: only one can be")
	}
	p.dial.place = "-at"
	detail, _, err := api.ClusterAt(ctx, name, at, p.read())
	if err != nil {
		return err
	}
	if p.json() {
		return p.writeJSON(detail)
	}
	then := *p
	then.Now = detail.At.Time.Std
	return then.writeCluster(&sight{
		ClusterDetail: detail, then: fmt.Sprintf("event %s, %s ago", detail.At.Cursor, p.ago(detail.At.Time)),
	})
}

// sight is all that is shown of a cluster.
type sight struct {
	httpd.ClusterDetail
	index     uint64
	effective httpd.Effective
	last      []httpd.Event
	turned    *httpd.Event     // when its health became what it is; nil when that is no longer kept
	live      []httpd.LiveNode // nil when nobody was asked
	then      string           // of which event the sight is, when it is of the past
}

// answer is the sight as JSON: the API's own answer.
func (s *sight) answer() any {
	if s.live != nil {
		return s.live
	}
	return s.ClusterDetail
}

func (p *Program) lookAt(ctx context.Context, api *httpd.Client, name string, live bool) (*sight, error) {
	s := &sight{}
	detail, meta, err := api.Cluster(ctx, name, p.read())
	if err != nil {
		return nil, err
	}
	s.ClusterDetail, s.index = detail, meta.Index
	if live {
		if s.live, err = api.LiveCluster(ctx, name); err != nil {
			return nil, err
		}
	}
	if p.json() {
		return s, nil
	}
	if s.effective, _, err = api.Effective(ctx, name, "", p.read()); err != nil {
		return nil, err
	}
	if s.last, err = latest(ctx, api, httpd.EventsQuery{Cluster: name}, lastEvents, nil); err != nil {
		return nil, err
	}
	// The event tells new reasons, too; the word is older than they are.
	turned, err := latest(ctx, api, httpd.EventsQuery{Cluster: name, Type: string(fsm.ClusterHealthChanged)}, 1,
		func(e *httpd.Event) bool {
			before, after := sides[fsm.HealthPart](e)
			return before.Health != after.Health
		})
	if err == nil && len(turned) > 0 {
		s.turned = &turned[0]
	}
	return s, err
}

func (p *Program) writeCluster(s *sight) error {
	p.writeFacts(p.clusterFacts(s))
	if len(s.Nodes) == 0 {
		fmt.Fprintf(p.Out, "\nIt has no nodes. muster lists it because an operator set something on it.\n")
	} else {
		fmt.Fprintln(p.Out)
		if err := p.write(p.nodesOf(s)); err != nil {
			return err
		}
	}
	if len(s.Shards) > 0 {
		fmt.Fprintln(p.Out)
		if err := p.write(p.shardsOf(s)); err != nil {
			return err
		}
	}
	if len(s.last) == 0 {
		return nil
	}
	fmt.Fprintln(p.Out)
	t := table.Columns(table.Column{Head: "Last events", Right: false}, table.Column{Head: "Type"}, table.Column{Head: "Of"},
		table.Column{Head: "What", Max: 90})
	for i := range s.last {
		e := &s.last[len(s.last)-1-i]
		t.Row(p.ago(e.Time)+" ago", table.Cell{Text: string(e.Type), Mood: moodOf(e.Type)}, within(e), story(e))
	}
	return p.write(t)
}

// within is whom an event is about, in a cluster that is known.
func within(e *httpd.Event) string {
	switch {
	case e.Shard != "" && e.Node != "":
		return e.Node + " shard " + e.Shard
	case e.Shard != "":
		return "shard " + e.Shard
	}
	return e.Node
}

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
