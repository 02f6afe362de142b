package cli

import (
	"context"
	"errors"
	"fmt"

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
		if c.Flags().Changed("at") { // empty, as by a variable that is not set, it is refused
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
