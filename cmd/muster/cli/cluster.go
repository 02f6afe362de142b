package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) cluster() *cobra.Command {
	c := p.asks(&cobra.Command{
		Use:   "cluster",
		Short: "See clusters, have them asked now, set what holds for them",
		Example: `  muster cluster list
  muster cluster show orders
  muster cluster watch -filter 'health != "healthy"'`,
	})
	c.AddCommand(p.clusterList(), p.clusterShow(), p.clusterRefresh(), p.clusterSet(), p.clusterWatch(),
		p.clusterHistory(), p.clusterEffective())
	return c
}

const filterHelp = "`EXPRESSION` over the JSON of a row, as in "

func (p *Program) clusterList() *cobra.Command {
	var filter string
	c := &cobra.Command{
		Use:   "list",
		Short: "List clusters, unwell ones first",
		Example: `  muster cluster list
  muster cluster list -filter 'health != "healthy"'
  muster cluster list -filter '"lag_high" in reasons or nodes.unwell > 1'`,
		Args: exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			rows, err := all(ctx, p.list(filter), api.Clusters)
			if err != nil {
				return err
			}
			err = p.writeClusters(rows, filter)
			if !p.json() {
				p.tellOfSources(ctx, api, len(rows) == 0 && filter == "")
				p.warnOfPause(ctx, api)
			}
			return err
		}),
	}
	c.Flags().StringVar(&filter, "filter", "", filterHelp+`'health == "down"'`)
	return c
}

// writeClusters writes a list of clusters.
func (p *Program) writeClusters(rows []httpd.ClusterRow, filter string) error {
	if p.json() {
		if err := p.writeJSON(rows); err != nil {
			return err
		}
		return nothing(len(rows), "cluster", filter)
	}
	if len(rows) == 0 && filter == "" {
		fmt.Fprintln(p.Out, "There are no clusters yet.")
		return nil
	}
	if len(rows) == 0 {
		return nothing(0, "cluster", filter)
	}
	slices.SortStableFunc(rows, func(a, b httpd.ClusterRow) int {
		return cmp.Or(cmp.Compare(severity(a.Health), severity(b.Health)), strings.Compare(a.Name, b.Name))
	})
	t := table.Columns(
		table.Column{Head: "Name", Max: 40}, table.Column{Head: "Health"}, table.Column{Head: "Well", Right: true},
		table.Column{Head: "Primaries", Right: true}, table.Column{Head: "Store", Max: 32},
		table.Column{Head: "Refreshed", Right: true}, table.Column{Head: "Reasons", Max: 80},
	)
	for i := range rows {
		r := &rows[i]
		t.Row(r.Name, health(r.Health), share(r.Nodes.Well, r.Nodes.Total, r.Nodes.Unwell > 0),
			share(r.Primaries, r.Shards, r.Primaries < r.Shards),
			dash(store(r.Kinds, r.Versions)), p.refreshed(r), strings.Join(r.Reasons, ", "))
	}
	return p.write(t)
}

// nothing is the error of a filter that matched nothing.
func nothing(rows int, what, filter string) error {
	if rows > 0 || filter == "" {
		return nil
	}
	return fmt.Errorf("%w: no %s for -filter %s", errNothing, what, filter)
}

// severity orders what is worst first.
func severity(health string) int {
	return slices.Index([]string{fsm.HealthDown, fsm.HealthDegraded, fsm.HealthUnknown, fsm.HealthHealthy}, health)
}

func health(word string) table.Cell {
	mood := map[string]table.Mood{
		fsm.HealthDown: table.Bad, fsm.HealthDegraded: table.Warn, fsm.HealthUnknown: table.Dim, fsm.HealthHealthy: table.Good,
	}[word]
	return table.Cell{Text: dash(word), Mood: mood}
}

// share is how many of all, and whether that is a reason to look.
func share(some, all int, look bool) table.Cell {
	c := table.Cell{Text: fmt.Sprintf("%d/%d", some, all)}
	switch {
	case all == 0:
		c.Text = "-"
	case look:
		c.Mood = table.Warn
	}
	return c
}

// store is what runs on a cluster's nodes.
func store(kinds, versions []string) string {
	words := strings.Join(kinds, ", ")
	if len(versions) > 0 {
		words += " " + strings.Join(versions, ", ")
	}
	return strings.TrimSpace(words)
}

// overdueShown is how late a refresh must be to be marked: a little late is usual.
const overdueShown = 5 * time.Second

// refreshed is the age of a view; one that should be younger has a mark.
func (p *Program) refreshed(r *httpd.ClusterRow) table.Cell {
	c := table.Cell{Text: p.ago(r.RefreshedAt)}
	if r.Overdue > 0 && p.since(r.NextRefresh) > overdueShown {
		c.Text += "!"
		c.Mood = table.Warn
	}
	return c
}
