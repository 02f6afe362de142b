package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) members() *cobra.Command {
	return p.asks(&cobra.Command{
		Use:   "members",
		Short: "List the peers, as the asked one sees them",
		Example: `  muster members
  muster members -http-addr 10.0.0.2:8650 -format=json`,
		Args: exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			rows, err := api.Members(ctx)
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(rows)
			}
			return p.writeMembers(rows)
		}),
	})
}

func (p *Program) writeMembers(rows []httpd.Member) error {
	t := table.New("Name", "Address", "Status", "Role", "Version", "Raft")
	for _, m := range rows {
		t.Row(m.Name, m.Address, table.Cell{Text: m.Status, Mood: statusMood(m.Status)}, dash(m.Role), dash(m.Version), dash(m.Raft))
	}
	if err := p.write(t); err != nil {
		return err
	}
	p.warnOfDiscord(rows)
	return nil
}

// warnOfDiscord names the peers that let anybody in while others want a token.
func (p *Program) warnOfDiscord(rows []httpd.Member) {
	var off []string
	on := false
	for _, m := range rows {
		switch {
		case m.Status == "left":
		case m.ACL:
			on = true
		default:
			off = append(off, table.Clean(m.Name))
		}
	}
	if on && len(off) > 0 {
		fmt.Fprintln(p.Err)
		p.warn("ACLs are off on %s and on elsewhere: whoever reaches the API there may do everything.", strings.Join(off, ", "))
	}
}

func statusMood(status string) table.Mood {
	switch status {
	case "alive":
		return table.Good
	case "failed":
		return table.Bad
	}
	return table.Dim
}

// dash stands where there is nothing.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (p *Program) join() *cobra.Command {
	return p.asks(&cobra.Command{
		Use:   "join ADDRESS…",
		Short: "Have the asked peer meet the group through its members",
		Long: `Has the asked peer meet a group through the gossip addresses of any of its members. It is enough
that one of them answers.`,
		Example: "  muster join 10.0.0.1:8652 10.0.0.2:8652",
		Args:    someArgs,
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			met := 0
			var last error
			for _, address := range args {
				if err := api.Join(ctx, address); err != nil {
					if last = err; len(args) == 1 {
						break
					}
					fmt.Fprintf(p.Err, "%s: %s\n", address, printable(err.Error()))
					continue
				}
				met++
			}
			if met == 0 {
				return last
			}
			p.say("Met the group through %d of %d addresses.", met, len(args))
			return p.andJSON(struct{}{})
		}),
	})
}

func (p *Program) leave() *cobra.Command {
	return p.asks(&cobra.Command{
		Use:   "leave",
		Short: "Have the asked peer leave its group for good",
		Long: `Has the asked peer leave its group for good: it hands over its work, is taken out of the raft
configuration and ends. To stop a peer for a while, interrupt it instead.`,
		Example: "  muster leave -http-addr 10.0.0.3:8650",
		Args:    exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			if err := api.Leave(ctx); err != nil {
				return err
			}
			p.say("The peer has left its group and ends.")
			return p.andJSON(struct{}{})
		}),
	})
}

func (p *Program) forceLeave() *cobra.Command {
	return p.asks(&cobra.Command{
		Use:     "force-leave NAME",
		Short:   "Declare a failed peer gone for good",
		Long:    "Takes a failed peer out of the group, so that nobody waits for it any more. One that is alive leaves by itself.",
		Example: "  muster force-leave peer-c",
		Args:    exactly(1),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			if err := api.ForceLeave(ctx, args[0]); err != nil {
				return err
			}
			p.say("%s is out of the group.", table.Clean(args[0]))
			return p.andJSON(struct{}{})
		}),
	})
}
