package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	httpd "github.com/musterhq/muster/http"
)

func (p *Program) info() *cobra.Command {
	return p.asks(&cobra.Command{
		Use:     "info",
		Short:   "Show what a peer says of itself",
		Example: "  muster info\n  muster info -format=json",
		Args:    exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			self, err := api.Self(ctx)
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(self)
			}
			ready, err := api.Ready(ctx)
			if err != nil {
				return err
			}
			p.writeSelf(&self, ready)
			return nil
		}),
	})
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
	p.writeFacts(append(facts,
		plain("Up for", p.ago(s.Started)), plain("Group", fmt.Sprintf("%s (%s)", s.Group, dash(s.GroupID))),
		plain("Leader", dash(s.Leader)), plain("State", fmt.Sprintf("%s, term %d", s.State, s.Term)),
		plain("Applied", fmt.Sprintf("%d of %d committed, %d in the log", s.AppliedIndex, s.CommitIndex, s.LastIndex)),
		plain("Epoch", s.Epoch), plain("Features", fmt.Sprintf("level %d", s.FeatureLevel)),
		plain("API", m.HTTPAddress), plain("Peer port", m.Address), plain("Gossip", m.GossipAddress),
		plain("ACLs", onOff(m.ACL)), plain("Labels", labels(m.Labels)),
	))
	if b := s.Backups; b != nil {
		p.writeFacts([]fact{plain("Backups", p.backups(b))})
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// backups tells how a peer keeps its backups.
func (p *Program) backups(b *httpd.BackupStatus) string {
	switch {
	case b.Failures > 0:
		return fmt.Sprintf("%s: %s failed: %s", b.Dir, counted(b.Failures, "try", "tries"), b.Error)
	case b.At == 0:
		return b.Dir + ": none yet while this peer led"
	}
	return fmt.Sprintf("%s: %d, the last %s ago, to index %d", b.Dir, b.Kept, p.ago(b.At), b.Index)
}
