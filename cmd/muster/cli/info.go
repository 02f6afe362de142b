package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) info() *cobra.Command {
	var live bool
	c := &cobra.Command{
		Use:   "info",
		Short: "Show what a peer says of itself",
		Long: `Shows what a peer says of itself, its place in raft, its process and its machine. With -live it only says whether the peer must be restarted, which needs no
token, and ends with an error if so: what a health check wants. A peer that is live may still not be ready to serve.`,
		Example: "  muster info\n  muster info -format=json\n  muster info -live",
		Args:    exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			if live {
				return p.tellLive(ctx, api)
			}
			return p.tellAll(ctx, api)
		}),
	}
	c.Flags().BoolVar(&live, "live", false, "say only whether it must be restarted")
	return p.asks(c)
}

// liveWait is how long a peer may take to say that it is live: less than a health check waits.
const liveWait = 4 * time.Second

func (p *Program) tellLive(ctx context.Context, api *httpd.Client) error {
	ctx, stop := context.WithTimeout(ctx, liveWait)
	defer stop()
	state, err := api.Live(ctx)
	if err != nil {
		return err
	}
	if len(state.Reasons) > 0 {
		return fmt.Errorf("the peer must be restarted: %s", strings.Join(state.Reasons, "; "))
	}
	if p.json() {
		return p.writeJSON(state)
	}
	p.say("Live.")
	return nil
}

func (p *Program) writeSelf(s *httpd.Self, ready httpd.Readiness) {
	m := s.Member
	state := plain("Ready", "yes")
	if len(ready.Reasons) > 0 {
		state.Text = "no"
	}
	facts := []fact{
		plain("Peer", fmt.Sprintf("%s (%s)", m.Name, m.ID)), plain("Version", m.Version), state,
	}
	for _, why := range ready.Reasons {
		facts = append(facts, plain("", why))
	}
	for _, what := range ready.Warnings {
		facts = append(facts, fact{"Warning", table.Cell{Text: what, Mood: table.Warn}})
	}
	facts = append(facts,
		plain("Up for", p.ago(s.Started)), plain("Group", fmt.Sprintf("%s (%s)", s.Group, dash(s.GroupID))),
		plain("Leader", dash(s.Leader)), plain("State", fmt.Sprintf("%s, term %d", s.State, s.Term)),
		plain("Applied", fmt.Sprintf("%d of %d committed, %d in the log", s.AppliedIndex, s.CommitIndex, s.LastIndex)),
		plain("Epoch", s.Epoch), plain("Features", fmt.Sprintf("level %d", s.FeatureLevel)),
		plain("API", m.HTTPAddress), plain("Peer port", m.Address), plain("Gossip", m.GossipAddress),
		plain("ACLs", onOff(m.ACL)), plain("Labels", labels(m.Labels)),
	)
	if s.Disk != nil {
		facts = append(facts, fact{"Disk", disk(s.Disk)})
	}
	if s.Consul != nil {
		facts = append(facts, fact{"Consul", p.registration(s.Consul)})
	}
	if s.Backups != nil {
		facts = append(facts, fact{"Backups", p.backups(s.Backups)})
	}
	p.writeFacts(facts)
}

// disk tells how much room there is for a peer's data.
func disk(d *httpd.DiskStatus) table.Cell {
	moods := map[string]table.Mood{"low": table.Warn, "full": table.Bad}
	return table.Cell{
		Text: fmt.Sprintf("%s: %d MiB of %d MiB are free in %s", d.Level, d.Free>>20, d.Total>>20, d.Dir), Mood: moods[d.Level],
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// backups tells how a peer keeps its backups.
func (p *Program) backups(b *httpd.BackupStatus) table.Cell {
	switch {
	case b.Failures > 0:
		return table.Cell{
			Text: fmt.Sprintf("%s: %s failed: %s", b.Dir, counted(b.Failures, "try", "tries"), b.Error), Mood: table.Bad,
		}
	case b.At == 0 && b.Leads:
		return table.Cell{Text: b.Dir + ": none yet", Mood: table.Warn}
	case b.At == 0:
		return table.Cell{Text: b.Dir + ": none yet, whoever leads keeps them"}
	}
	return table.Cell{Text: fmt.Sprintf("%s: %d, the last %s ago, to index %d", b.Dir, b.Kept, p.ago(b.At), b.Index)}
}

// registration tells how a peer stands in Consul.
func (p *Program) registration(r *httpd.Registration) table.Cell {
	told := "never told"
	if r.At != 0 {
		told = fmt.Sprintf("told %s ago", p.ago(r.At))
	}
	switch {
	case r.Failures > 0:
		return table.Cell{Text: fmt.Sprintf("%s failed, %s: %s", counted(r.Failures, "try", "tries"), told, r.Error), Mood: table.Bad}
	case !r.Registered:
		return table.Cell{Text: "not registered yet", Mood: table.Warn}
	}
	as := r.Service
	if len(r.Tags) > 0 {
		as += " (" + strings.Join(r.Tags, ", ") + ")"
	}
	return table.Cell{Text: fmt.Sprintf("registered at %s as %s, %s", r.Address, as, told)}
}
