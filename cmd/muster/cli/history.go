package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) clusterHistory() *cobra.Command {
	return p.history("Show how the last 20 refreshes of a cluster went: when, who did them, why and how long",
		"muster cluster history orders", func(ctx context.Context, api *httpd.Client, name string) ([]fsm.Work, error) {
			rows, _, err := api.ClusterHistory(ctx, name, p.read())
			return rows, err
		})
}

func (p *Program) discoveryHistory() *cobra.Command {
	return p.history("Show how the last 20 runs of a discovery went: when, who did them, why and how long",
		"muster discovery history prod", func(ctx context.Context, api *httpd.Client, name string) ([]fsm.Work, error) {
			rows, _, err := api.DiscoveryHistory(ctx, name, p.read())
			return rows, err
		})
}

// history is a verb that shows how work went.
func (p *Program) history(
	short, example string, ask func(context.Context, *httpd.Client, string) ([]fsm.Work, error),
) *cobra.Command {
	return &cobra.Command{
		Use: "history NAME", Short: short, Example: "  " + example + "\n  " + example + " -format=json", Args: exactly(1),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
			rows, err := ask(ctx, api, args[0])
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(rows)
			}
			if len(rows) == 0 {
				p.say("Nothing was done yet.")
				return nil
			}
			return p.write(p.workTable(rows))
		}),
	}
}

func (p *Program) workTable(rows []fsm.Work) *table.Table {
	t := table.Columns(table.Column{Head: "When (UTC)"}, table.Column{Head: "Age", Right: true}, table.Column{Head: "By"},
		table.Column{Head: "Why"}, table.Column{Head: "Took", Right: true}, table.Column{Head: "Outcome"},
		table.Column{Head: "What"})
	for i := range rows {
		w := &rows[i]
		what := w.Error
		if w.Records > 0 && what == "" {
			what = counted(w.Records, "record", "records")
		}
		t.Row(w.At.Std().UTC().Format(time.DateTime), p.ago(w.At), dash(w.Peer), dash(w.Reason), took(w.Took),
			table.Cell{Text: w.Outcome, Mood: outcomeMood(w.Outcome)}, what)
	}
	return t
}

func (p *Program) clusterEffective() *cobra.Command {
	return &cobra.Command{
		Use:   "effective NAME",
		Short: "Show what holds for a cluster, where each key comes from, and what it hides",
		Long: `Shows the group, labels, vars, guards and refresh settings that hold for a cluster. They are laid over each
other, the nearest winning: what is set on the whole group, on the discovery, on the cluster.`,
		Example: "  muster cluster effective orders",
		Args:    exactly(1),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
			e, _, err := api.Effective(ctx, args[0], "", p.read())
			if err != nil {
				return err
			}
			return p.writeEffective(&e)
		}),
	}
}

func (p *Program) nodeEffective() *cobra.Command {
	return &cobra.Command{
		Use:   "effective NODE",
		Short: "Show what holds for a node, where each key comes from, and what it hides",
		Long: `Shows the group, labels, vars and refresh settings that hold for a node. They are laid over each other, the
nearest winning: what is set on the whole group, on the discovery, what the discovery's source says of the node,
what is set on the cluster, on the node.`,
		Example: "  muster node effective orders/orders-1",
		Args:    exactly(1),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
			refs, err := nodeRefs(args)
			if err != nil {
				return err
			}
			e, _, err := api.Effective(ctx, refs[0].Cluster, refs[0].Node, p.read())
			if err != nil {
				return err
			}
			return p.writeEffective(&e)
		}),
	}
}

func (p *Program) writeEffective(e *httpd.Effective) error {
	if p.json() {
		return p.writeJSON(e)
	}
	t := table.Columns(table.Column{Head: "Key"}, table.Column{Head: "Value", Max: 60}, table.Column{Head: "From"},
		table.Column{Head: "Hides"})
	row := func(key string, k *httpd.EffectiveKey) {
		hides := make([]string, 0, len(k.Over))
		for _, h := range k.Over {
			hides = append(hides, fmt.Sprintf("%s of %s", shownJSON(h.Value), h.From))
		}
		t.Row(key, shownJSON(k.Value), k.From, strings.Join(hides, ", "))
	}
	if e.Group != nil {
		row("group", e.Group)
	}
	if e.Guards != nil {
		row("guards", e.Guards)
	}
	for _, part := range []struct {
		name string
		keys map[string]*httpd.EffectiveKey
	}{{"labels", e.Labels}, {"vars", e.Vars}, {"refresh", e.Refresh}} {
		for _, key := range slices.Sorted(maps.Keys(part.keys)) {
			row(part.name+"."+key, part.keys[key])
		}
	}
	return p.write(t)
}

// shownJSON is a value as people write it: text as it is, anything else as JSON.
func shownJSON(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	raw, _ := json.Marshal(v) //nolint:errchkjson // it came as JSON
	return string(raw)
}
