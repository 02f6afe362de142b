package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/cmd/muster/conf"
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
	f.Var(conf.Sources(&o.sources, true), "config-dir", "`DIR` of such files: those that end in .hcl or .json, by name; may be repeated")
	s := conf.Of(f)
	s.Absent("config-file", "config-dir")
	s.In("backup", "backup-dir", "backup-interval", "backup-retain")
	s.Call("label", "labels")
	s.Pairs("label")
	s.Check(conf.Address, "http-addr", "peer-addr", "gossip-addr")
	s.Check(conf.OneOf("debug", "info", "warn", "error"), "log-level")
	s.Check(conf.OneOf("text", "json"), "log-format")
	s.Check(conf.Between(1, 10), "raft-multiplier")
	s.Check(conf.Between(0, 9), "bootstrap-expect")
	s.Check(conf.AtLeast(backup.MinInterval), "backup-interval")
	s.Check(conf.Between(1, 1<<20), "backup-retain")
	o.schema = s
}

// configure composes what a peer is told.
func (o *options) configure(p *Program) (agent.Config, error) {
	var err error
	if o.found, err = o.schema.Load(o.sources); err != nil {
		return o.cfg, err
	}
	cfg := o.cfg
	if cfg.Labels, err = pairs("label", o.labels); err != nil {
		return cfg, err
	}
	if cfg.Log, err = o.logs.logger(p.Err); err != nil {
		return cfg, err
	}
	if o.keeper.Dir != "" {
		if o.keeper.Dir, err = filepath.Abs(o.keeper.Dir); err != nil {
			return cfg, err
		}
		cfg.Backups = &o.keeper
	}
	return cfg, nil
}
