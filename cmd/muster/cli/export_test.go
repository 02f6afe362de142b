package cli

import (
	"context"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/cmd/muster/conf"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/refresh"
)

// Root is the tree of commands.
func (p *Program) Root() *cobra.Command { return p.root }

// Colours is whether a terminal, or what is none, is written to in colour.
func Colours(terminal bool, getenv func(string) string) bool { return colours(terminal, getenv) }

// ExitCode is the exit code for an error.
func ExitCode(err error) int { return exitCode(err) }

// Reveal reads a secret as a peer does whose secrets are in a folder.
func Reveal(folder string, getenv func(string) string, s refresh.Secret) (string, error) {
	return vault{folder: folder, getenv: getenv}.reveal(s)
}

// CollectOften sets how often a peer collects its garbage.
func CollectOften(getenv func(string) string) { collectOften(getenv) }

// Story is what an event says.
func Story(e *httpd.Event) string { return story(e) }

// Told are the types of events that have a story of their own.
func Told(t fsm.EventType) bool { return stories[t] != nil }

// Kinds are the words for the ways this program can ask nodes, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(probers())) }

// CheckProber judges a prober and its config.
func CheckProber(kind string, config fsm.JSON) error { return checkProber(kind, config) }

// Settings are what files of a peer may say, with the defaults.
func Settings() []conf.Setting { return newOptions().schema.Settings() }

// Reference is what docs/configuration.md says of the settings.
func Reference() string { return newOptions().schema.Reference() }

// Peer makes a peer as muster agent with these options would, which is measured in reg.
func (p *Program) Peer(ctx context.Context, reg metrics, args ...string) (*agent.Agent, error) {
	o := &options{}
	c := &cobra.Command{}
	o.flags(c)
	if err := c.ParseFlags(args); err != nil {
		return nil, err
	}
	cfg, err := o.start(p)
	if err != nil {
		return nil, err
	}
	return p.newPeer(ctx, cfg, reg)
}
