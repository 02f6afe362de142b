package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) discoveryShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a discovery: its setting, its last run, what it holds back",
		Example: `  muster discovery show orders
  muster discovery show orders -format=json > orders.json`,
		Args: exactly(1),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
			d, _, err := api.Discovery(ctx, args[0], p.read())
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(d)
			}
			return p.writeDiscovery(&d)
		}),
	}
}

func (p *Program) writeDiscovery(d *httpd.DiscoveryRow) error {
	state := runState(d)
	if why := whyNotGood(d); why != "" {
		state.Text += ": " + why
	}
	r := d.Refresh
	p.writeFacts([]fact{
		plain("Discovery", d.Name),
		{"State", state},
		plain("Backend", d.Backend+" "+vars(d.Config)),
		plain("Runs", fmt.Sprintf("every %s, on %s", d.Interval, d.On)),
		plain("Last run", p.lastRunAtLength(d)), plain("Next run", p.nextRun(d)),
		plain("Cluster", d.Cluster), plain("Filter", d.Filter), plain("Admission", d.Admission),
		plain("Absence", fmt.Sprintf("missing after %s, removed after %s, held beyond %d%%; on delete: %s",
			d.MissingAfter, d.RemoveAfter, d.MaxShrink, d.OnDelete)),
		plain("Refresh", fmt.Sprintf("%s every %s, timeout %s (connect %s), down after %d, retry after %s, lag limit %s, identity %s, on %s%s",
			r.Prober, r.Interval, r.Timeout, r.ConnectTimeout, r.DownAfter, r.RetryAfter, r.LagLimit, r.Identity, r.On, offWord(r.Enabled))),
		plain("Asked with", vars(r.Config)),
		plain("Group", d.Group), plain("Labels", labels(d.Labels)), plain("Vars", vars(d.Vars)), plain("Guards", guards(d.Guards)),
	})
	if d.Held.Count == 0 || d.Held.Released {
		return nil
	}
	fmt.Fprintln(p.Out)
	if err := p.writeHeld(d); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "\nTo let them count: muster discovery release %s -held %s\n", d.Name, d.Held.Hash)
	return nil
}

func offWord(on bool) string {
	if on {
		return ""
	}
	return "; off"
}

func (p *Program) lastRunAtLength(d *httpd.DiscoveryRow) string {
	w := d.LastRun
	if w.At == 0 {
		return "never yet"
	}
	text := fmt.Sprintf("%s ago by %s in %s: %s, %s", p.ago(w.At), dash(w.Peer), took(w.Took), w.Outcome, counted(w.Records, "record", "records"))
	if w.Error != "" {
		text += ", " + w.Error
	}
	return text
}

func outcomeMood(outcome string) table.Mood {
	switch outcome {
	case fsm.OutcomeFailed, fsm.OutcomeExpired:
		return table.Bad
	case fsm.OutcomeHeld, fsm.OutcomeGivenBack:
		return table.Warn
	}
	return table.Good
}
