package cli

import (
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/agent/trace"
	"github.com/musterhq/muster/cmd/muster/conf"
	"github.com/musterhq/muster/cmd/muster/document"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/refresh/poll"
)

// options are what a peer is told, by its command line and by files.
type options struct {
	cfg     agent.Config
	logs    logging
	labels  []string
	keeper  backup.Keeper
	sources []conf.Source
	schema  *conf.Schema
	found   *conf.Found // in the files

	snapshotMiB int
}

// newOptions are options with their defaults.
func newOptions() *options {
	o := &options{}
	o.flags(&cobra.Command{})
	return o
}

// inFiles says how the options stand in files, where it does not follow from their names.
func (o *options) inFiles(f *pflag.FlagSet) {
	f.Var(conf.Sources(&o.sources, false), "config-file", "`FILE` of settings, HCL or JSON; may be repeated, later ones win")
	f.Var(conf.Sources(&o.sources, true), "config-dir", "`DIR` of files of settings: those that end in .hcl or .json, by name; may be repeated")
	s := conf.Of(f)
	s.Absent("config-file", "config-dir")
	s.In("backup", "backup-dir", "backup-interval", "backup-retain")
	s.In("tls", "ca-file", "cert-file", "key-file", "verify-client")
	s.In("consul", "consul-token-file", "consul-ca-file", "consul-cert-file", "consul-key-file", "consul-tls-server-name",
		"consul-register", "consul-service", "consul-check-ttl")
	s.In("trace", "trace-endpoint", "trace-ratio", "trace-headers-file", "trace-ca-file")
	s.In("advertise", "advertise-http", "advertise-peer", "advertise-gossip")
	s.Call("advertise", "advertise.address")
	s.Call("consul-addr", "consul.address")
	s.Call("consul-tag", "consul.tags")
	s.In("limits", "http-max-conns-per-client", "http-max-rate-per-client", "max-snapshot-mib")
	s.In("dial", "dial-allow", "dial-deny")
	s.Call("label", "labels")
	s.Call("acl", "acl.enabled")
	s.Pairs("label")
	s.Check(conf.Address, "http-addr", "peer-addr", "gossip-addr")
	s.Check(func(text string) error { _, err := poll.ParseRange(text); return err }, "dial-allow", "dial-deny")
	s.Check(conf.CIDR, "gossip-allow")
	s.Check(agent.CheckJoin, "join")
	s.Check(consul.CheckService, "consul-service")
	s.Check(consul.CheckTag, "consul-tag")
	s.Check(conf.AtLeast(consul.MinTTL), "consul-check-ttl")
	s.Check(trace.CheckEndpoint, "trace-endpoint")
	s.Check(trace.CheckRatio, "trace-ratio")
	s.Check(conf.OneOf("debug", "info", "warn", "error"), "log-level")
	s.Check(conf.OneOf("text", "json"), "log-format")
	s.Check(conf.Between(1, 10), "raft-multiplier")
	s.Check(conf.Between(0, 9), "bootstrap-expect")
	s.Check(conf.Between(1, 1<<20), "http-max-conns-per-client", "http-max-rate-per-client")
	s.Check(conf.Between(1, 1<<20), "max-snapshot-mib")
	s.Check(conf.AtLeast(backup.MinInterval), "backup-interval")
	s.Check(conf.Between(1, 1<<20), "backup-retain")
	s.Reloads("backup-dir", "backup-interval", "backup-retain", "join", "label", "log-level", "trace-ratio")
	s.Tells("data-dir", "name", "group", "http-addr", "peer-addr", "gossip-addr", "advertise", "advertise-http",
		"advertise-peer", "advertise-gossip", "join", "label", "gossip-allow", "gossip-key-file",
		"dial-allow", "dial-deny", "ca-file", "cert-file", "key-file", "backup-dir", "log-level", "log-format", "consul-service",
		"consul-tag", "consul-token-file", "consul-ca-file", "consul-cert-file", "consul-key-file", "consul-tls-server-name",
		"trace-headers-file", "trace-ca-file")
	o.schema = s
}

// start composes what a peer is told when it starts, and how it is read again.
func (o *options) start(p *Program) (agent.Config, error) {
	given := o.schema.Given()
	cfg, err := o.configure(p)
	cfg.Origin.Reread = func() (agent.Config, error) {
		again := newOptions()
		again.sources = o.sources
		if err := again.schema.Again(given); err != nil {
			return agent.Config{}, err
		}
		return again.configure(p)
	}
	return cfg, err
}

// configure composes a configuration that a peer can be started with.
func (o *options) configure(p *Program) (agent.Config, error) {
	var err error
	o.found, err = o.schema.Load(o.sources)
	discoveries, wrong := declared(o.found.Discoveries)
	if err := errors.Join(err, wrong); err != nil {
		return agent.Config{}, err
	}
	o.cfg.Declared = discoveries
	return o.compose(p)
}

// compose makes a configuration of what options and files have said, and judges the whole of it.
func (o *options) compose(p *Program) (agent.Config, error) {
	var err error
	cfg := o.cfg
	if cfg.Labels, err = pairs("label", o.labels); err != nil {
		return cfg, err
	}
	if cfg.Log, err = o.logs.logger(p.Err); err != nil {
		return cfg, err
	}
	cfg.LogLevel, cfg.MaxSnapshot = &o.logs.at, int64(o.snapshotMiB)<<20
	if o.keeper.Dir != "" {
		if o.keeper.Dir, err = filepath.Abs(o.keeper.Dir); err != nil {
			return cfg, err
		}
		cfg.Backups = &o.keeper
	}
	cfg.Origin = agent.Origin{Files: o.found.Files}
	for _, s := range o.schema.Settings() {
		cfg.Origin.Settings = append(cfg.Origin.Settings, agent.Setting{Name: s.Path, Value: s.Value, Reloads: s.Reloads, Hidden: !s.Tells})
	}
	return cfg, o.found.Explain(cfg.Validate())
}

// declared are discoveries of files as a peer applies them, judged as its API would.
func declared(found []document.Discovery) ([]agent.Declared, error) {
	out := make([]agent.Declared, 0, len(found))
	var wrong []error
	for i := range found {
		d := &found[i]
		if err := judge(d); err != nil {
			wrong = append(wrong, err)
		}
		out = append(out, agent.Declared{Name: d.Name, Spec: d.Spec, Place: d.At.String()})
	}
	return out, errors.Join(wrong...)
}

// judge judges a discovery as a peer of this release would.
func judge(d *document.Discovery) error {
	if err := discovery.Validate(d.Spec, backends(), checkProber); err != nil {
		return d.Place(err)
	}
	return nil
}
