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

func (p *Program) discoveryDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME…",
		Short: "Delete discoveries",
		Long: `Deletes discoveries. What one of them listed goes with a last run; its nodes stay unless it says
on_delete = "remove".`,
		Example: "  muster discovery delete orders",
		Args:    someArgs,
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			acks := make([]applied, 0, len(args))
			for _, name := range args {
				ack, err := api.DeleteDiscovery(ctx, name, nil)
				if err != nil {
					return fmt.Errorf("delete %s: %w", name, err)
				}
				acks = append(acks, applied{Name: name, Ack: ack})
				did := "is not there"
				if ack.Changed {
					did = "is deleted"
				}
				p.say("Discovery %s %s.", table.Clean(name), did)
			}
			return p.andJSON(acks)
		}),
	}
}

func (p *Program) discoveryRun() *cobra.Command {
	var detach bool
	c := &cobra.Command{
		Use:   "run NAME",
		Short: "Run a discovery now, and wait for it",
		Example: `  muster discovery run orders
  muster discovery run -detach orders`,
		Args: exactly(1),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			name := args[0]
			claim, err := api.RunDiscovery(ctx, name)
			if err != nil {
				return err
			}
			return p.awaitAndTell(ctx, api, errand{
				claim: claim, detach: detach, doing: "reads the source",
				last: func(ctx context.Context) (fsm.Work, error) {
					row, _, err := api.Discovery(ctx, name, httpd.Read{})
					return row.LastRun, err
				},
			})
		}),
	}
	c.Flags().BoolVar(&detach, "detach", false, "do not wait until it is done")
	return c
}

func (p *Program) discoveryPreview() *cobra.Command {
	var files []string
	c := &cobra.Command{
		Use:   "preview NAME | -file FILE",
		Short: "Show what a run would bring, storing nothing",
		Long: `Reads a source as a run would and shows what would come of it: of a discovery that is stored, or of
those in a file before they are.`,
		Example: `  muster discovery preview orders
  muster discovery preview -file orders.hcl`,
		Args: atMostOne,
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			if (len(args) == 0) == (len(files) == 0) {
				return errors.New("say what to preview: the NAME of a stored discovery, or -file FILE")
			}
			if len(args) == 1 {
				found, err := api.PreviewStored(ctx, args[0])
				if err != nil {
					return err
				}
				return p.writePreview(args[0], &found)
			}
			return p.previewFiles(ctx, api, files)
		}),
	}
	c.Flags().StringArrayVar(&files, "file", nil, "preview the discoveries of a `FILE`; may be repeated")
	return c
}

func (p *Program) previewFiles(ctx context.Context, api *httpd.Client, files []string) error {
	written, err := p.readDiscoveries(files)
	if err != nil {
		return err
	}
	for i := range written {
		found, err := api.PreviewPosted(ctx, written[i].Request())
		if err != nil {
			return written[i].Place(err)
		}
		if i > 0 && !p.json() {
			fmt.Fprintln(p.Out)
		}
		if err := p.writePreview(written[i].Name, &found); err != nil {
			return err
		}
	}
	return nil
}

func (p *Program) writePreview(name string, found *httpd.Preview) error {
	if p.json() {
		return p.writeJSON(found)
	}
	fmt.Fprintf(p.Out, "Discovery %s reads %s of %s: %d would be added, %d changed, %d are absent.\n",
		name, these(found.Records), counted(found.Clusters, "cluster", "clusters"), len(found.Added), len(found.Changed), len(found.Absent))
	t := table.New("", "Node", "Address", "Labels", "Source")
	for _, part := range []struct {
		sign  string
		mood  table.Mood
		nodes []httpd.PreviewNode
	}{{"+", table.Good, found.Added}, {"~", table.Warn, found.Changed}} {
		for _, n := range part.nodes {
			t.Row(table.Cell{Text: part.sign, Mood: part.mood}, n.Cluster+"/"+n.Node, hostPort(n.Address, n.Port),
				labels(n.Labels), n.Source)
		}
	}
	for _, ref := range found.Absent {
		t.Row(table.Cell{Text: "-", Mood: table.Bad}, ref.String())
	}
	if len(found.Added)+len(found.Changed)+len(found.Absent) > 0 {
		fmt.Fprintln(p.Out)
		if err := p.write(t); err != nil {
			return err
		}
	}
	if found.Held.Count > 0 {
		fmt.Fprintf(p.Out, "\nThe absences would be held back: %d of %s it listed would go at once.\n",
			found.Held.Count, these(found.Held.Owned))
	}
	return nil
}

func (p *Program) discoveryRelease() *cobra.Command {
	var hash string
	c := &cobra.Command{
		Use:   "release NAME",
		Short: "Let absences count that were held back",
		Long: `Lets the absences count that a discovery holds back because too many nodes went at once. Exactly the
set that was shown is released: name it with -held. Without -held the set is shown.`,
		Example: `  muster discovery release orders
  muster discovery release orders -held 5f1c9b2e`,
		Args: exactly(1),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			if hash == "" {
				return p.showHeld(ctx, api, args[0])
			}
			ack, err := api.ReleaseHeld(ctx, args[0], hash)
			if err != nil {
				return err
			}
			p.say("Released. Nodes that stay absent become missing, and go after remove_after.")
			return p.andJSON(ack)
		}),
	}
	c.Flags().StringVar(&hash, "held", "", "the `HASH` of the held set, as it is shown")
	return c
}

func (p *Program) showHeld(ctx context.Context, api *httpd.Client, name string) error {
	d, _, err := api.Discovery(ctx, name, p.read())
	if err != nil {
		return err
	}
	if p.json() {
		return p.writeJSON(d.Held)
	}
	if d.Held.Count == 0 {
		fmt.Fprintf(p.Out, "Discovery %s holds nothing back.\n", d.Name)
		return nil
	}
	if err := p.writeHeld(&d); err != nil {
		return err
	}
	return fmt.Errorf("nothing was released; look at the set, then: muster discovery release %s -held %s", d.Name, d.Held.Hash)
}

const heldShown = 20

func (p *Program) writeHeld(d *httpd.DiscoveryRow) error {
	h := &d.Held
	fmt.Fprintf(p.Out, "Held back for %s: %d of %s absent at once (set %s).\n\n", p.ago(h.Since), h.Count, these(h.Owned), h.Hash)
	t := table.New("Absent")
	for _, ref := range h.Nodes[:min(len(h.Nodes), heldShown)] {
		t.Row(ref.String())
	}
	if more := h.Count - heldShown; more > 0 {
		t.Row(fmt.Sprintf("and %d more; -format=json lists all", more))
	}
	return p.write(t)
}
