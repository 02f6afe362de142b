package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/cmd/muster/table"
)

// logging is how a process that runs on logs.
type logging struct {
	level, format string
	at            slog.LevelVar // what level says, and what may change while the process runs
}

func (l *logging) flags(c *cobra.Command) {
	c.Flags().StringVar(&l.level, "log-level", "info", "`LEVEL` from which on to log: debug, info, warn or error")
	c.Flags().StringVar(&l.format, "log-format", "text", "`text` or json")
}

func (l *logging) logger(w io.Writer) (*slog.Logger, error) {
	if err := l.at.UnmarshalText([]byte(l.level)); err != nil {
		return nil, fmt.Errorf("-log-level %q is none of debug, info, warn, error", l.level)
	}
	switch options := (&slog.HandlerOptions{Level: &l.at}); l.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("-log-format %q is neither text nor json", l.format)
}

func (p *Program) agent() *cobra.Command {
	var given options
	c := &cobra.Command{
		Use:   "agent",
		Short: "Run a peer",
		Long: `Runs one peer of a group until it is told to stop. An interrupt lets it hand over its work and
stay a member; a second one ends it at once.

A peer needs to know its group once: -bootstrap-expect N for the first N peers, which found it
together, or -join for those that come later. From then on -data-dir is enough.

Every option but -config-file and -config-dir may stand in files, in HCL or JSON; see docs/configuration.md.
SIGHUP and muster reload have the peer read them again.

Passwords that probers use are kept on the peers: in variables that begin with MUSTER_SECRET_,
and in files of the folder "secrets" in the data directory.

Probers dial what discoveries list, judged by the address a name has when it is connected to. Loopback (unless
this peer is on loopback itself), link-local and cloud metadata addresses and this peer's own listeners are
dialed only where -dial-allow names them. Other -dial-allow narrow the rest to what they hold. -dial-deny wins.`,
		Example: `  muster agent -dev
  muster agent -config-dir /etc/muster
  muster agent -data-dir /var/lib/muster -name peer-a -bootstrap-expect 3 \
               -peer-addr 10.0.0.1:8651 -gossip-addr 10.0.0.1:8652 -join 10.0.0.2:8652 -join 10.0.0.3:8652 \
               -ca-file muster-ca.pem -cert-file peer-a.pem -key-file peer-a-key.pem -gossip-key-file gossip.key -acl
  muster agent -data-dir /var/lib/muster -name worker-1 -worker -label zone=a -insecure \
               -peer-addr 10.0.0.9:8651 -gossip-addr 10.0.0.9:8652 -join 10.0.0.1:8652`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := given.start(p)
			if err != nil {
				return err
			}
			return given.found.Explain(p.runAgent(c.Context(), cfg))
		},
	}
	given.flags(c)
	return c
}

// flags declares what a peer may be told, each thing once: files and docs/configuration.md follow from it.
func (o *options) flags(c *cobra.Command) {
	cfg, keeper := &o.cfg, &o.keeper
	f := c.Flags()
	f.StringVar(&cfg.DataDir, "data-dir", "", "`DIR` where this peer keeps its log and its id")
	f.BoolVar(&cfg.Dev, "dev", false, "be a group of one in memory, which forgets all when it stops")
	f.StringVar(&cfg.Name, "name", "", "`NAME` of this peer, unique in its group (default the host's name)")
	f.StringVar(&cfg.Group, "group", "muster", "`NAME` of the group, which keeps it apart from others")
	f.StringVar(&cfg.HTTPAddr, "http-addr", agent.DefaultHTTPAddr, "`ADDRESS` of the API")
	f.StringVar(&cfg.PeerAddr, "peer-addr", agent.DefaultPeerAddr, "`ADDRESS` for other peers")
	f.StringVar(&cfg.GossipAddr, "gossip-addr", agent.DefaultGossipAddr, "`ADDRESS` of gossip, TCP and UDP")
	f.StringVar(&cfg.Advertise.Address, "advertise", "", "IP `ADDRESS` that others reach this peer at, if that is not where it listens")
	f.StringVar(&cfg.Advertise.HTTP, "advertise-http", "", "`HOST[:PORT]` that its API is reached at, in the place of -advertise")
	f.StringVar(&cfg.Advertise.Peer, "advertise-peer", "", "`HOST[:PORT]` that other peers reach it at, in the place of -advertise")
	f.StringVar(&cfg.Advertise.Gossip, "advertise-gossip", "", "`IP[:PORT]` that its gossip is reached at, in the place of -advertise")
	f.IntVar(&cfg.BootstrapExpect, "bootstrap-expect", 0, "found a group together, once `N` peers see each other")
	f.StringArrayVar(&cfg.Join, "join", nil, "gossip `ADDRESS` of a member to meet the group through, a name of all, or consul://SERVICE; may be repeated")
	f.StringVar(&cfg.Consul.Address, "consul-addr", "", "`ADDRESS` of Consul, for -join consul://SERVICE and -consul-register (default CONSUL_HTTP_ADDR)")
	f.StringVar(&cfg.Consul.TokenFile, "consul-token-file", "", "`FILE` with a token for it")
	f.StringVar(&cfg.Consul.CAFile, "consul-ca-file", "", "`FILE` of the authorities that its certificate is judged by, PEM")
	f.StringVar(&cfg.Consul.CertFile, "consul-cert-file", "", "`FILE` of a certificate to show it, PEM")
	f.StringVar(&cfg.Consul.KeyFile, "consul-key-file", "", "`FILE` of the private key of that certificate, PEM")
	f.StringVar(&cfg.Consul.ServerName, "consul-tls-server-name", "", "`NAME` to expect in its certificate")
	f.BoolVar(&cfg.Consul.Register, "consul-register", false, "register this peer there, with its role and whether it is ready")
	f.StringVar(&cfg.Consul.Service, "consul-service", consul.DefaultService, "`NAME` of the service that it is registered as an instance of")
	f.StringArrayVar(&cfg.Consul.Tags, "consul-tag", nil, "`TAG` of that instance, beside its role; may be repeated")
	f.DurationVar(&cfg.Consul.TTL, "consul-check-ttl", consul.DefaultTTL, "be critical there when nothing was heard of this peer for `DURATION`")
	f.BoolVar(&cfg.Worker, "worker", false, "replicate and refresh, but never vote")
	f.StringArrayVar(&o.labels, "label", nil, "`KEY=VALUE` of this peer, which the setting \"on\" may name; may be repeated")
	f.IntVar(&cfg.RaftMultiplier, "raft-multiplier", 1, "stretch raft's timing by `N`, 1 to 10, on slow machines")
	f.StringVar(&cfg.GossipKeyFile, "gossip-key-file", "", "`FILE` with the first gossip key; later ones come by muster keyring")
	f.StringArrayVar(&cfg.GossipAllow, "gossip-allow", nil, "`NET` that other peers gossip from; may be repeated (default everywhere)")
	f.StringArrayVar(&cfg.Dial.Allow, "dial-allow", nil, "`NET[:PORTS]` that probers may dial; may be repeated")
	f.StringArrayVar(&cfg.Dial.Deny, "dial-deny", nil, "`NET[:PORTS]` that probers may not dial; may be repeated")
	f.BoolVar(&cfg.Debug, "enable-debug", false, "serve profiles of the process at /debug/pprof/ of the API also without -acl")
	f.StringVar(&cfg.TLS.CAFile, "ca-file", "", "`FILE` of the authorities whose certificates are trusted, PEM")
	f.StringVar(&cfg.TLS.CertFile, "cert-file", "", "`FILE` of this peer's certificate, PEM")
	f.StringVar(&cfg.TLS.KeyFile, "key-file", "", "`FILE` of its private key, PEM")
	f.BoolVar(&cfg.TLS.VerifyClient, "verify-client", false, "want a certificate of everyone who calls the API")
	f.IntVar(&cfg.HTTPMaxConns, "http-max-conns-per-client", 100, "let one address hold `N` connections to the API")
	f.IntVar(&cfg.HTTPMaxRate, "http-max-rate-per-client", 1000, "let one address send the API `N` requests a second, this machine's own aside")
	f.IntVar(&o.snapshotMiB, "max-snapshot-mib", 1024, "take up snapshots of the state of up to `N` MiB from the leader, or from a backup")
	f.BoolVar(&cfg.ACL, "acl", false, "have whoever asks the API show a token; say it on all peers, then muster acl bootstrap")
	f.BoolVar(&cfg.Insecure, "insecure", false, "allow addresses off loopback without TLS, gossip key and ACLs")
	f.StringVar(&cfg.Trace.Endpoint, "trace-endpoint", "", "send traces to the collector at `URL`, OTLP over HTTP; see docs/tracing.md")
	f.Float64Var(&cfg.Trace.Ratio, "trace-ratio", 1, "follow that `SHARE` of requests, runs and refreshes, 0 to 1; the same on all peers")
	f.StringVar(&cfg.Trace.HeadersFile, "trace-headers-file", "", "`FILE` with NAME: VALUE lines to send the collector")
	f.StringVar(&cfg.Trace.CAFile, "trace-ca-file", "", "`FILE` of the authorities that its certificate is judged by, PEM (default the system's)")
	f.StringVar(&keeper.Dir, "backup-dir", "", "save backups to `DIR` while this peer leads")
	keeperFlags(c, keeper, "backup-")
	o.logs.flags(c)
	o.inFiles(f)
}

// gcPercent is Go's GOGC for a peer where the environment says nothing. Most of its memory is rows and events at rest, packed so
// that a collection has little to follow: half as much garbage before the next one is worth more than the CPU.
const gcPercent = 50

func collectOften(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// runAgent composes a peer and lives its life.
func (p *Program) runAgent(ctx context.Context, cfg agent.Config) error {
	umask()
	collectOften(p.Getenv)
	asked, stop := hangups()
	defer stop()
	a, err := p.newPeer(ctx, cfg, registry())
	if err != nil {
		return err
	}
	if cfg.Dev {
		p.welcome(&cfg, a.HTTPAddr())
	}
	return live(ctx, a, asked)
}

// metrics is where what a process measures comes together.
type metrics interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// registry is one that measures the process itself already.
func registry() metrics {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector())
	return reg
}

// newPeer makes a peer of this program's parts.
func (p *Program) newPeer(ctx context.Context, cfg agent.Config, reg metrics) (*agent.Agent, error) {
	if err := agent.Telemetry(reg); err != nil {
		return nil, err
	}
	cfg.Version, cfg.Registerer, cfg.Gatherer = p.Version, reg, reg
	cfg.Backends, cfg.Probers = backends(), probers()
	keeps := vault{getenv: p.Getenv}
	if cfg.DataDir != "" {
		dir, err := filepath.Abs(cfg.DataDir)
		if err != nil {
			return nil, err
		}
		keeps.folder = filepath.Join(dir, secretsFolder)
	}
	cfg.Reveal = keeps.reveal
	return agent.New(ctx, cfg)
}

// welcome says what to do with a peer that was started to try things with.
func (p *Program) welcome(cfg *agent.Config, address string) {
	with, scheme := "", "http"
	if address != agent.DefaultHTTPAddr {
		with = " -http-addr " + address
	}
	if cfg.TLS.CAFile != "" {
		scheme, with = "https", with+" -ca-file "+cfg.TLS.CAFile
	}
	fmt.Fprintf(p.Out, `%s one peer in memory at %s://%s. It forgets all when it stops; Ctrl-C stops it.

  muster discovery apply%s FILE   say where clusters are listed
  muster cluster list%s           how they are
  muster event follow%s           what changes

`, p.ink.Paint(table.Head, "muster "+p.Version+":"), scheme, address, with, with, with)
}

// pairs reads KEY=VALUE options.
func pairs(option string, given []string) (map[string]string, error) {
	out := make(map[string]string, len(given))
	for _, pair := range given {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("-%s %q is not KEY=VALUE", option, pair)
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("-%s %s is given twice", option, key)
		}
		out[key] = value
	}
	return out, nil
}
