package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) operator() *cobra.Command {
	raft := &cobra.Command{
		Use:     "raft",
		Short:   "See and change who is in the raft group",
		Example: "  muster operator raft list-peers\n  muster operator raft transfer-leader peer-b",
	}
	raft.AddCommand(p.listPeers(), p.removePeer(), p.transferLeader())
	c := p.asks(&cobra.Command{
		Use:     "operator",
		Short:   "Mend the group",
		Example: "  muster operator raft list-peers",
	})
	c.AddCommand(raft, p.usage(), p.recover(), p.compactLog(), p.releasePromise(), p.aclReset())
	return c
}

func (p *Program) listPeers() *cobra.Command {
	return &cobra.Command{
		Use:   "list-peers",
		Short: "List the peers of the raft group, as the leader sees them",
		Long: `Lists the peers of the raft group, as the leader sees them. With -stale as the asked peer and gossip do, also
without a leader: then how far they are is told of the asked peer alone.`,
		Example: "  muster operator raft list-peers\n  muster operator raft list-peers -stale",
		Args:    exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			conf, err := api.RaftConfiguration(ctx, p.read())
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(conf)
			}
			return p.writeServers(conf.Servers)
		}),
	}
}

func (p *Program) writeServers(servers []httpd.RaftServer) error {
	leader := uint64(0)
	for _, s := range servers {
		if s.Leader {
			leader = s.AppliedIndex
		}
	}
	t := table.Columns(
		table.Column{Head: "Name"}, table.Column{Head: "ID"}, table.Column{Head: "Address"}, table.Column{Head: "State"},
		table.Column{Head: "Voter"}, table.Column{Head: "Applied-Index", Right: true}, table.Column{Head: "Behind-Leader-By", Right: true},
	)
	for _, s := range servers {
		state := table.Cell{Text: s.State}
		applied, behind := strconv.FormatUint(s.AppliedIndex, 10), "-"
		if s.AppliedIndex == 0 { // only the leader hears how far others are
			applied = "-"
		}
		switch {
		case s.Leader:
			state.Mood = table.Good
		case s.State == "unheard":
			state.Mood, applied = table.Bad, "-"
		case leader > 0 && s.AppliedIndex > 0:
			// The leader moves on between hearing from a peer and answering.
			behind = strconv.FormatUint(leader-min(s.AppliedIndex, leader), 10)
		}
		t.Row(dash(s.Name), s.ID, dash(s.Address), state, s.Voter, applied, behind)
	}
	if err := p.write(t); err != nil {
		return err
	}
	p.tellFates(servers)
	return nil
}

// tellFates says what becomes of servers that have failed.
func (p *Program) tellFates(servers []httpd.RaftServer) {
	for _, s := range servers {
		if s.FailedAt == 0 {
			continue
		}
		what := "stays until it is removed: muster force-leave " + table.Clean(s.Name)
		switch {
		case s.KeptBecause != "":
			what = "is not removed by itself: " + table.Clean(s.KeptBecause)
		case s.RemoveAt != 0 && p.since(s.RemoveAt) < 0:
			what = "is removed in " + p.ahead(s.RemoveAt)
		case s.RemoveAt != 0:
			what = "is removed as soon as all has been calm for a while"
		}
		fmt.Fprintf(p.Err, "\n%s has failed for %s and %s.\n", table.Clean(dash(s.Name)), p.ago(s.FailedAt), what)
	}
}

// server finds a peer of the raft group by name or id.
func server(ctx context.Context, api *httpd.Client, name string) (httpd.RaftServer, error) {
	conf, err := api.RaftConfiguration(ctx, httpd.Read{})
	if err != nil {
		return httpd.RaftServer{}, err
	}
	for _, s := range conf.Servers {
		if s.ID == name || s.Name == name {
			return s, nil
		}
	}
	return httpd.RaftServer{}, fmt.Errorf("there is no peer %q in the raft group; muster operator raft list-peers shows them", name)
}

func (p *Program) removePeer() *cobra.Command {
	return &cobra.Command{
		Use:   "remove-peer PEER",
		Short: "Take a peer out of the raft group",
		Long: `Takes a peer, by name or id, out of the raft group, whether or not it is alive. To let a peer go that is
alive, muster leave is better: it hands over its work first.`,
		Example: "  muster operator raft remove-peer peer-c",
		Args:    exactly(1),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			s, err := server(ctx, api, args[0])
			if err != nil {
				return err
			}
			if err := api.RemovePeer(ctx, s.ID); err != nil {
				return err
			}
			p.say("%s (%s) is out of the raft group.", dash(s.Name), s.ID)
			return p.andJSON(struct{}{})
		}),
	}
}

func (p *Program) transferLeader() *cobra.Command {
	return &cobra.Command{
		Use:     "transfer-leader [PEER]",
		Short:   "Have another peer lead",
		Long:    "Hands leadership to a peer, by name or id, or to the one that is nearest to the leader.",
		Example: "  muster operator raft transfer-leader peer-b",
		Args:    atMostOne,
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			s, to := httpd.RaftServer{}, "another peer"
			if len(args) == 1 {
				var err error
				if s, err = server(ctx, api, args[0]); err != nil {
					return err
				}
				to = dash(s.Name)
			}
			if s.Leader {
				p.say("%s leads already.", to)
				return p.andJSON(struct{}{})
			}
			if err := api.TransferLeader(ctx, s.ID); err != nil {
				return err
			}
			p.say("Leadership went to %s.", to)
			return p.andJSON(struct{}{})
		}),
	}
}
