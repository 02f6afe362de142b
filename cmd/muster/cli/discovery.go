package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/document"
	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) discovery() *cobra.Command {
	c := p.asks(&cobra.Command{
		Use:   "discovery",
		Short: "Say where clusters are listed, and see how reading that goes",
		Example: `  muster discovery apply orders.hcl
  muster discovery list
  muster discovery run orders`,
	})
	c.AddCommand(p.discoveryApply(), p.discoveryList(), p.discoveryShow(), p.discoveryDelete(), p.discoveryRun(), p.discoveryHistory(),
		p.discoveryPreview(), p.discoveryRelease())
	return c
}

func (p *Program) discoveryApply() *cobra.Command {
	return &cobra.Command{
		Use:   "apply FILE…",
		Short: "Store the discoveries of files",
		Long: `Stores the discoveries that files hold and has them run at once. A file is HCL with any number of
blocks, or JSON: an object with a "name", or a list of them, as -format=json shows them. "-" is stdin.
Nothing is stored unless all files can be read.

  discovery "orders" {
    backend = "consul"
    config  = { services = ["orders-*"], tags = ["muster"] }
    refresh { interval = "10s" }
  }`,
		Example: `  muster discovery apply orders.hcl payments.json
  muster discovery show orders -format=json | jq '.interval = "30s"' | muster discovery apply -`,
		Args: someArgs,
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			found, err := p.readDiscoveries(args)
			if err != nil {
				return err
			}
			acks := make([]applied, 0, len(found))
			for i := range found {
				d := &found[i]
				ack, err := api.PutDiscovery(ctx, d.Name, d.Body, nil)
				if err != nil {
					return d.Place(err)
				}
				acks = append(acks, applied{Name: d.Name, Ack: ack})
				did := "is unchanged"
				if ack.Changed {
					did = "is applied and runs now"
				}
				p.say("Discovery %s %s.", d.Name, did)
			}
			return p.andJSON(acks)
		}),
	}
}

// applied is the answer for one of the discoveries applied.
type applied struct {
	Name string `json:"name"`
	httpd.Ack
}

// readDiscoveries reads files, all that is wrong in them at once. What could be read is returned in any case.
func (p *Program) readDiscoveries(names []string) ([]document.Discovery, error) {
	var out []document.Discovery
	var wrong []error
	first := map[string]document.Place{}
	for _, name := range names {
		found, err := p.readFile(name)
		wrong = append(wrong, err)
		for _, d := range found {
			if at, twice := first[d.Name]; twice {
				wrong = append(wrong, d.At.Fault("discovery %q is in %s, too", d.Name, at))
			}
			first[d.Name] = d.At
		}
		out = append(out, found...)
	}
	return out, errors.Join(wrong...)
}

func (p *Program) readFile(name string) ([]document.Discovery, error) {
	f, err := p.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return document.Discoveries(called(name), f)
}

func (p *Program) discoveryList() *cobra.Command {
	var filter string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List discoveries and how their last runs went",
		Example: "  muster discovery list\n  muster discovery list -filter 'backend == \"consul\"'",
		Args:    exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			rows, err := all(ctx, p.list(filter), api.Discoveries)
			if err != nil {
				return err
			}
			return p.writeDiscoveries(rows, filter)
		}),
	}
	c.Flags().StringVar(&filter, "filter", "", filterHelp+`'backend == "consul"'`)
	return c
}

func (p *Program) writeDiscoveries(rows []httpd.DiscoveryRow, filter string) error {
	if p.json() {
		if err := p.writeJSON(rows); err != nil {
			return err
		}
		return nothing(len(rows), "discovery", filter)
	}
	if len(rows) == 0 && filter == "" {
		fmt.Fprintln(p.Out, "There are no discoveries yet. Say where clusters are listed: muster discovery apply FILE")
		return nil
	}
	if len(rows) == 0 {
		return nothing(0, "discovery", filter)
	}
	t := table.Columns(
		table.Column{Head: "Name", Max: 40}, table.Column{Head: "Backend"}, table.Column{Head: "Every", Right: true},
		table.Column{Head: "State"}, table.Column{Head: "Records", Right: true}, table.Column{Head: "Last run"},
		table.Column{Head: "Next", Right: true}, table.Column{Head: "Why", Max: 80},
	)
	for i := range rows {
		d := &rows[i]
		t.Row(d.Name, d.Backend, d.Interval, runState(d), d.LastRun.Records, p.lastRun(d.LastRun), p.nextRun(d), whyNotGood(d))
	}
	return p.write(t)
}

// runState is one word on how a discovery is.
func runState(d *httpd.DiscoveryRow) table.Cell {
	switch {
	case d.Deleting:
		return table.Cell{Text: "deleting", Mood: table.Warn}
	case !d.Enabled:
		return table.Cell{Text: "off", Mood: table.Dim}
	case d.Failing != "":
		return table.Cell{Text: "failing", Mood: table.Bad}
	case d.Held.Count > 0 && !d.Held.Released:
		return table.Cell{Text: "holding", Mood: table.Warn}
	case d.LastRun.At == 0:
		return table.Cell{Text: "new", Mood: table.Dim}
	}
	return table.Cell{Text: "good", Mood: table.Good}
}

func whyNotGood(d *httpd.DiscoveryRow) string {
	switch {
	case d.Failing != "" && d.LastRun.Error != "":
		return d.LastRun.Error
	case d.Failing != "":
		return d.Failing
	case d.Held.Count > 0 && !d.Held.Released:
		return fmt.Sprintf("%d of %s absent at once", d.Held.Count, these(d.Held.Owned))
	}
	return ""
}

func (p *Program) lastRun(w fsm.Work) string {
	if w.At == 0 {
		return "-"
	}
	return fmt.Sprintf("%s ago by %s, %s", p.ago(w.At), dash(w.Peer), w.Outcome)
}

func (p *Program) nextRun(d *httpd.DiscoveryRow) string {
	if d.NextRun == 0 {
		return "-"
	}
	return p.ahead(d.NextRun)
}
