package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) clusterRefresh() *cobra.Command {
	var detach bool
	c := &cobra.Command{
		Use:   "refresh NAME",
		Short: "Ask a cluster's nodes now, and show what changed",
		Example: `  muster cluster refresh orders
  muster cluster refresh -detach orders`,
		Args: exactly(1),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			name := args[0]
			claim, err := api.RefreshCluster(ctx, name)
			if err != nil {
				return err
			}
			return p.awaitAndTell(ctx, api, errand{
				claim: claim, detach: detach, doing: "asks the nodes", cluster: name,
				last: func(ctx context.Context) (fsm.Work, error) {
					detail, _, err := api.Cluster(ctx, name, httpd.Read{})
					return detail.LastRefresh, err
				},
			})
		}),
	}
	c.Flags().BoolVar(&detach, "detach", false, "do not wait until it is done")
	return c
}

// word is what an operator sets on a cluster or node, as options say it.
type word struct {
	group        string
	labels, vars []string
	refresh      []string
	guards       []string
	cas          uint64
}

func (w *word) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&w.group, "group", "", "`NAME` of the group it is in; empty for none")
	f.StringArrayVar(&w.labels, "label", nil, "`KEY=VALUE` of a label; KEY= unsets it; may be repeated")
	f.StringArrayVar(&w.vars, "var", nil, "`KEY=JSON` of a variable; KEY= unsets it; what is no JSON is text; may be repeated")
	f.Uint64Var(&w.cas, "cas", 0, "only if it is still at this `INDEX`")
}

// patch is the merge patch that the options given amount to.
func (w *word) patch(c *cobra.Command) (map[string]any, *uint64, error) {
	out := map[string]any{}
	if c.Flags().Changed("group") {
		out["group"] = w.group
	}
	for _, part := range []struct {
		key, option string
		given       []string
		read        func(string) any
	}{
		{"labels", "label", w.labels, func(s string) any { return s }},
		{"vars", "var", w.vars, jsonOrText},
		{"refresh", "refresh", w.refresh, jsonOrText},
	} {
		set, err := pairs(part.option, part.given)
		if err != nil {
			return nil, nil, err
		}
		inner := map[string]any{}
		for key, value := range set {
			inner[key] = part.read(value)
			if value == "" {
				inner[key] = nil
			}
		}
		if len(inner) > 0 {
			out[part.key] = inner
		}
	}
	if f := c.Flags().Lookup("guard"); f != nil && f.Changed {
		guards, err := parseGuards(w.guards)
		if err != nil {
			return nil, nil, err
		}
		out["guards"] = guards
	}
	if len(out) == 0 {
		return nil, nil, fmt.Errorf("say what to set; see %s -help", c.CommandPath())
	}
	if !c.Flags().Changed("cas") {
		return out, nil, nil
	}
	return out, &w.cas, nil
}

// jsonOrText reads a value as JSON where it is some.
func jsonOrText(s string) any {
	if json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	return s
}

func (p *Program) clusterSet() *cobra.Command {
	var w word
	c := &cobra.Command{
		Use:   "set NAME",
		Short: "Set a cluster's group, labels, vars, guards and refresh settings",
		Long: `Sets what holds for a cluster, over what its discovery says. What is not named stays as it is, and an
empty value unsets.

A guard refuses transitions of nodes that leave too little: min_commissioned, min_well, max_maintenance, of all
nodes or of those in a group. The guards given take the place of all there were.`,
		Example: `  muster cluster set orders -group payments -label tier=1
  muster cluster set orders -refresh interval=10s -refresh timeout=1s
  muster cluster set orders -refresh enabled=false
  muster cluster set orders -refresh interval=
  muster cluster set orders -guard group=voters,min_commissioned=2 -guard max_maintenance=1
  muster cluster set orders -guard ''`,
		Args: exactly(1),
	}
	c.RunE = p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
		patch, cas, err := w.patch(c)
		if err != nil {
			return err
		}
		ack, err := api.PatchCluster(ctx, args[0], patch, cas)
		if err != nil {
			return err
		}
		return p.tellSet("Cluster "+args[0], ack)
	})
	w.flags(c)
	c.Flags().StringArrayVar(&w.guards, "guard", nil, guardHelp)
	c.Flags().StringArrayVar(&w.refresh, "refresh", nil, "`KEY=VALUE` of a refresh setting; KEY= unsets it; may be repeated")
	return c
}

func (p *Program) tellSet(what string, ack httpd.Ack) error {
	did := "is as it was"
	if ack.Changed {
		did = "is set"
	}
	p.say("%s %s (index %d).", table.Clean(what), did, ack.Index)
	return p.andJSON(ack)
}

func (p *Program) clusterWatch() *cobra.Command {
	var filter string
	c := &cobra.Command{
		Use:   "watch [NAME]",
		Short: "Show the list of clusters, or one of them, again whenever it changes",
		Example: `  muster cluster watch
  muster cluster watch -filter 'health != "healthy"'
  muster cluster watch orders`,
		Args: atMostOne,
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
			look := p.watchList(api, filter)
			if len(args) == 1 {
				look = p.watchOne(api, args[0])
			}
			return p.watch(ctx, look)
		}),
	}
	c.Flags().StringVar(&filter, "filter", "", filterHelp+`'health != "healthy"'; for the list`)
	return c
}

// glimpse waits until something has passed an index, and returns how to show it and its index now.
type glimpse func(ctx context.Context, past uint64) (show func() error, index uint64, err error)

func (p *Program) watchList(api *httpd.Client, filter string) glimpse {
	return func(ctx context.Context, past uint64) (func() error, uint64, error) {
		o := p.list(filter)
		o.Index = past
		first, err := api.Clusters(ctx, o)
		if err != nil {
			return nil, 0, err
		}
		rows := first.Rows
		if first.Next != "" {
			o.After, o.Index = first.Next, 0
			more, err := httpd.All(ctx, o, api.Clusters)
			if err != nil {
				return nil, 0, err
			}
			rows = append(rows, more...)
		}
		show := func() error {
			err := p.writeClusters(rows, filter)
			if errors.Is(err, errNothing) {
				p.say("No cluster is %s.", filter)
				err = nil
			}
			return err
		}
		return show, first.Index, nil
	}
}

func (p *Program) watchOne(api *httpd.Client, name string) glimpse {
	return func(ctx context.Context, past uint64) (func() error, uint64, error) {
		o := p.read()
		o.Index = past
		if past > 0 {
			if _, _, err := api.Cluster(ctx, name, o); err != nil {
				return nil, 0, err
			}
		}
		s, err := p.lookAt(ctx, api, name, false)
		if err != nil {
			return nil, 0, err
		}
		return func() error {
			if p.json() {
				return p.writeJSON(s.answer())
			}
			return p.writeCluster(s)
		}, s.index, nil
	}
}

const eraseScreen = "\x1b[H\x1b[2J\x1b[3J"

// watchPause is between two looks: a fleet in motion is shown twice a second, not as often as it moves.
const watchPause = 500 * time.Millisecond

// watch shows something again whenever it has changed, until ctx ends.
func (p *Program) watch(ctx context.Context, look glimpse) error {
	for past := uint64(0); ; {
		show, index, err := look(ctx, past)
		switch {
		case past > 0 && errors.Is(err, fsm.ErrUnavailable):
			fmt.Fprintln(p.Err, printable(p.explain(err)))
		case err != nil:
			return unlessInterrupted(ctx, err)
		case index != past:
			p.between(past > 0)
			if err := show(); err != nil {
				return err
			}
			past = index
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchPause):
		}
	}
}

// between parts what is shown now from what was shown before.
func (p *Program) between(again bool) {
	switch {
	case p.json():
	case p.Colour:
		fmt.Fprint(p.Out, eraseScreen)
	case again:
		fmt.Fprintf(p.Out, "\n%s\n\n", strings.Repeat("-", 40))
	}
}
