package cli

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/sidecar"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

// sidecarOptions are those of the command that the sidecar itself does not take as they are.
type sidecarOptions struct {
	probe, listen      string
	config, configFile string
	attributes         []string
	dialAllow          []string
}

func (p *Program) sidecar() *cobra.Command {
	var cfg sidecar.Config
	var given sidecarOptions
	var logs logging
	c := &cobra.Command{
		Use:   "sidecar",
		Short: "Answer peers for a store beside it",
		Long: `Asks one store and serves the node protocol for it, where peers with the prober "sidecar" ask. A stopped
store is answered for, too: it is down, and what it last said of itself is repeated.

-probe is KIND://HOST:PORT, with one of the kinds ` + strings.Join(slices.Sorted(maps.Keys(probers())), ", ") + `.
Options of the kind follow as in KIND://HOST:PORT?tls=true&password_file=redis, or are JSON in -config or
-config-file. Secrets are named there, never written: a file, or a variable of any name. A file named
without a folder lies in $CREDENTIALS_DIRECTORY where systemd sets that.

Off loopback it serves only with TLS, and a token or certificates of clients.`,
		Example: `  muster sidecar -probe redis://127.0.0.1:6379
  muster sidecar -probe "redis://127.0.0.1:6379?password_file=/etc/muster/redis" -listen 10.1.0.7:8655 \
                 -tls-cert-file tls.crt -tls-key-file tls.key -token-file token -attribute zone=eu-1a
  muster sidecar -probe http://127.0.0.1:8200/v1/sys/health -config '{"kind": "vault", "expect": ["200", "429"]}'`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if cfg.Attributes, err = pairs("attribute", given.attributes); err != nil {
				return err
			}
			if cfg.Log, err = logs.logger(p.Err); err != nil {
				return err
			}
			return p.runSidecar(c.Context(), cfg, given)
		},
	}
	f := c.Flags()
	f.StringVar(&given.probe, "probe", "", "`URL` of the store: kind of prober, host and port")
	f.StringVar(&given.listen, "listen", "127.0.0.1:8655", "`ADDRESS` where peers ask")
	f.StringVar(&given.config, "config", "", "`JSON` with the prober's options")
	f.StringVar(&given.configFile, "config-file", "", "`FILE` with the prober's options")
	f.StringVar(&cfg.NodeID, "node-id", "", "`ID` of the node (default what the prober says)")
	f.StringVar(&cfg.ClusterID, "cluster-id", "", "`ID` of the cluster (default what the prober says)")
	f.StringArrayVar(&given.attributes, "attribute", nil, "`KEY=VALUE` to say beside what the prober says; may be repeated")
	f.DurationVar(&cfg.Interval, "interval", sidecar.DefaultInterval, "`TIME` between probes when nobody asks")
	f.DurationVar(&cfg.Timeout, "timeout", sidecar.DefaultTimeout, "`TIME` a probe may take; keep it below the peers' timeout")
	f.StringArrayVar(&given.dialAllow, "dial-allow", nil, "`NET[:PORTS]` where a store may be; may be repeated")
	f.StringVar(&cfg.TokenFile, "token-file", "", "`FILE` of tokens, one to a line, of which a request needs one")
	f.StringVar(&cfg.Certificate, "tls-cert-file", "", "PEM `FILE` of the certificate to show")
	f.StringVar(&cfg.Key, "tls-key-file", "", "PEM `FILE` of its key")
	f.StringVar(&cfg.ClientCA, "tls-client-ca-file", "", "PEM `FILE` of authorities; clients need a certificate of theirs")
	f.BoolVar(&cfg.Insecure, "insecure", false, "allow an address off loopback without TLS and token")
	logs.flags(c)
	return c
}

// runSidecar composes a sidecar and lives its life.
func (p *Program) runSidecar(ctx context.Context, cfg sidecar.Config, given sidecarOptions) (err error) {
	store, err := parseProbe(given.probe)
	if err != nil {
		return err
	}
	keeps := local{folder: p.Getenv("CREDENTIALS_DIRECTORY"), getenv: p.Getenv}
	config, err := store.options(given, keeps)
	if err != nil {
		return err
	}
	for _, file := range []*string{&cfg.TokenFile, &cfg.Certificate, &cfg.Key, &cfg.ClientCA} {
		*file = keeps.path(*file)
	}
	if cfg.Listener, err = new(net.ListenConfig).Listen(ctx, "tcp", given.listen); err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	defer func() { _ = cfg.Listener.Close() }()
	allow, err := poll.ParseRanges(given.dialAllow)
	if err != nil {
		return fmt.Errorf("-dial-allow %w", err)
	}
	client, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true, Allow: allow, Own: own(cfg.Listener)}})
	if err != nil {
		return err
	}
	defer client.Close()
	kinds := refresh.Probers{Kinds: probers(), Env: refresh.Env{HTTP: client, Dial: client.Dial, Reveal: keeps.reveal}}
	asker, err := kinds.Make(store.kind, config, min(cfg.Timeout, time.Second))
	if err != nil {
		return ofProbe(err)
	}
	defer asker.Close()
	prober, ok := asker.(refresh.Prober)
	if !ok {
		return fmt.Errorf("-probe: %s asks about whole clusters; a sidecar asks one store", store.kind)
	}
	reg := registry()
	cfg.Prober, cfg.Target, cfg.Version, cfg.Registerer, cfg.Gatherer = prober, store.target, p.Version, reg, reg
	s, err := sidecar.New(cfg)
	if err != nil {
		return err
	}
	scheme := "http"
	if cfg.Certificate != "" {
		scheme = "https"
	}
	fmt.Fprintf(p.Out, "Answering for %s at %s: %s://%s%s\n",
		store.kind, store.target.HostPort(), scheme, cfg.Listener.Addr(), refresh.NodePath)
	return unlessInterrupted(ctx, s.Run(ctx))
}

// own is the listener's address, which a prober may not dial: it would ask the sidecar that waits for it.
func own(l net.Listener) []netip.AddrPort {
	ap, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return nil
	}
	return []netip.AddrPort{ap}
}
