package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/conf"
	"github.com/musterhq/muster/cmd/muster/document"
)

// The kinds of files to validate.
const (
	kindAgent     = "agent"
	kindDiscovery = "discovery"
)

func (p *Program) validate() *cobra.Command {
	var kind string
	var elsewhere bool
	c := &cobra.Command{
		Use:   "validate FILE|DIR…",
		Short: "Check files of settings and discoveries, without asking a peer",
		Long: `Checks files as a peer of this release would: settings of muster agent, and discoveries, which may stand
in the same files. Shapes, words and numbers, filters, templates, and the configs of backends and probers are
judged; all that is wrong is told with file and line. Of a directory the files that end in .hcl or .json are read.

The files that settings name are looked into as well: certificates and keys, the gossip key, tokens and secrets, and the
data directory. Run it as the user that the peer runs as; with -skip-files for a peer of another machine.

The files are taken together as one configuration, as -config-file and -config-dir take them; what only the
command line says is not known here. With -kind discovery they are files for muster discovery apply, where
settings are errors. "-" is stdin.`,
		Example: `  muster validate /etc/muster
  muster validate orders.hcl payments.json
  muster validate -skip-files peer-b.hcl
  muster validate -kind discovery -format json orders.hcl`,
		Args: someArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if p.dial.format != "table" && !p.json() {
				return fmt.Errorf("-format %q is neither table nor json", p.dial.format)
			}
			switch kind {
			case "", kindAgent, kindDiscovery:
			default:
				return fmt.Errorf("-kind %q is neither %s nor %s", kind, kindAgent, kindDiscovery)
			}
			return p.tellVerdict(p.judgeFiles(kind, args, elsewhere))
		},
	}
	c.Flags().StringVar(&kind, "kind", "", "`KIND` of the files: agent or discovery (default what they hold)")
	c.Flags().BoolVar(&elsewhere, "skip-files", false, "leave out the files that settings name")
	c.Flags().StringVar(&p.dial.format, "format", "table", "`table` or json")
	return c
}

// verdict is what is said of files.
type verdict struct {
	Good        bool     `json:"good"`
	Files       []string `json:"files"`
	Settings    int      `json:"settings"`
	Discoveries int      `json:"discoveries"`
	Faults      []fault  `json:"faults"`
}

// fault is one thing wrong; what is wrong with all files together has no place.
type fault struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

func (p *Program) tellVerdict(v verdict, err error) error {
	v.Good, v.Faults = err == nil, append([]fault{}, faultsOf(err)...)
	if p.json() {
		if wrong := p.writeJSON(v); wrong != nil {
			return wrong
		}
		if err != nil {
			return fmt.Errorf("%s wrong", counted(len(v.Faults), "thing is", "things are"))
		}
		return nil
	}
	if err != nil {
		return err
	}
	var what []string
	if v.Settings > 0 {
		what = append(what, counted(v.Settings, "setting", "settings"))
	}
	if v.Discoveries > 0 {
		what = append(what, counted(v.Discoveries, "discovery", "discoveries"))
	}
	p.say("Good: %s in %s.", strings.Join(what, " and "), counted(len(v.Files), "file", "files"))
	return nil
}

// judgeFiles reads files and says all that is wrong in them.
func (p *Program) judgeFiles(kind string, args []string, elsewhere bool) (v verdict, err error) {
	if v.Files, err = namesOf(args); err != nil {
		return v, err
	}
	if kind == kindDiscovery {
		found, err := p.readDiscoveries(v.Files)
		_, wrong := declared(found)
		v.Discoveries = len(found)
		return v, errors.Join(err, wrong)
	}
	o := newOptions()
	o.found, err = o.schema.LoadFiles(v.Files, p.open)
	_, wrong := declared(o.found.Discoveries)
	v.Settings, v.Discoveries = o.found.Settings(), len(o.found.Discoveries)
	switch err := errors.Join(err, wrong); {
	case err != nil:
		return v, err
	case v.Settings == 0 && v.Discoveries == 0:
		return v, errors.New("the files hold neither settings nor discoveries")
	case v.Settings == 0:
		return v, o.judgeSecrets("")
	}
	known := o.cfg.DataDir
	if known == "" && !o.cfg.Dev {
		o.cfg.DataDir = "." // the command line may say it
	}
	cfg, err := o.compose(p)
	if err != nil || elsewhere {
		return v, errors.Join(err, o.judgeSecrets(""))
	}
	cfg.DataDir = known
	return v, errors.Join(o.judgeNamed(cfg), o.judgeSecrets(known))
}

// namesOf are the files that arguments stand for.
func namesOf(args []string) ([]string, error) {
	var out []string
	for _, name := range args {
		info, err := os.Stat(name)
		if err != nil || !info.IsDir() {
			out = append(out, name) // who opens it says what is wrong
			continue
		}
		inside, err := conf.Expand([]conf.Source{{Path: name, Dir: true}})
		if err != nil {
			return nil, err
		}
		if len(inside) == 0 {
			return nil, fmt.Errorf("%s holds no file that ends in .hcl or .json", name)
		}
		out = append(out, inside...)
	}
	return out, nil
}

// faultsOf takes an error apart into the single things that are wrong.
func faultsOf(err error) []fault {
	var out []fault
	for _, one := range single(err) {
		if at, ok := errors.AsType[*document.FaultError](one); ok {
			out = append(out, fault{File: at.File, Line: at.Line, Message: at.Message})
			continue
		}
		out = append(out, fault{Message: one.Error()})
	}
	return out
}
