package cli

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/fleet"
)

func (p *Program) fleet() *cobra.Command {
	var cfg fleet.Config
	var base, listen string
	var logs logging
	c := &cobra.Command{
		Use:   "fleet",
		Short: "Play clusters of nodes, to try muster with",
		Long: `Plays clusters of nodes that speak the node protocol, each on a loopback address of its own. They can be
broken and mended at the control endpoint, or change by themselves with -churn.`,
		Example: `  muster fleet -clusters 10 -nodes 3 -file /tmp/fleet.json -control-addr 127.0.0.1:8656
  muster fleet -clusters 1000 -churn 5 -consul 127.0.0.1:8500`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if cfg.Logger, err = logs.logger(p.Err); err != nil {
				return err
			}
			if base != "" {
				if cfg.Base, err = netip.ParseAddr(base); err != nil {
					return fmt.Errorf("-base: %w", err)
				}
			}
			cfg.Listen = fleet.Listen(listen)
			cfg.ConsulToken = p.Getenv("CONSUL_HTTP_TOKEN")
			return p.runFleet(c.Context(), cfg)
		},
	}
	f := c.Flags()
	f.IntVar(&cfg.Clusters, "clusters", 3, "`N` clusters")
	f.IntVar(&cfg.Nodes, "nodes", 3, "`N` nodes in each")
	f.IntVar(&cfg.Shards, "shards", 1, "`N` shards in each")
	f.StringVar(&cfg.Prefix, "prefix", "fleet", "what names begin with")
	f.StringVar(&base, "base", "", "`ADDRESS` of the first node (default 127.10.0.0)")
	f.IntVar(&cfg.Port, "port", 8655, "`PORT` of every node; -1 takes free ones")
	f.StringVar(&cfg.Kind, "kind", "redis", "`STORE` that nodes claim to be")
	f.StringVar(&cfg.Version, "store-version", "7.0.15", "`VERSION` that nodes claim to be of")
	f.StringVar(&listen, "listen", string(fleet.ListenAuto), "`WAY` to listen: auto, each or shared")
	f.IntVar(&cfg.Processes, "processes", 0, "play in `N` processes (default as few as the limit of open files allows)")
	f.IntVar(&cfg.Peers, "peers", 3, "`N` peers are expected to ask the nodes")
	f.Float64Var(&cfg.Churn, "churn", 0, "`N` changes per second, by themselves")
	f.Uint64Var(&cfg.Seed, "seed", 1, "the `NUMBER` that decides which changes")
	f.StringVar(&cfg.ControlAddr, "control-addr", "", "loopback `ADDRESS` of the control endpoint")
	f.StringVar(&cfg.File, "file", "", "discovery `FILE` to write")
	f.StringVar(&cfg.ConsulAddr, "consul", "", "`ADDRESS` of a Consul agent to register with; its token is $CONSUL_HTTP_TOKEN")
	logs.flags(c)
	return c
}

// runFleet plays a fleet until ctx ends, and says when it is there.
func (p *Program) runFleet(ctx context.Context, cfg fleet.Config) error {
	f, err := fleet.New(cfg)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	select {
	case <-f.Ready():
		word := "answer"
		if cfg.Clusters*cfg.Nodes == 1 {
			word = "answers"
		}
		fmt.Fprintf(p.Out, "%s of %s %s.", these(cfg.Clusters*cfg.Nodes), counted(cfg.Clusters, "cluster", "clusters"), word)
		if cfg.File != "" {
			fmt.Fprintf(p.Out, " They are listed in %s.", cfg.File)
		}
		if f.ControlAddr() != "" {
			fmt.Fprintf(p.Out, " Control them at http://%s.", f.ControlAddr())
		}
		fmt.Fprintln(p.Out)
		err = <-done
	case err = <-done:
	}
	return unlessInterrupted(ctx, err)
}
