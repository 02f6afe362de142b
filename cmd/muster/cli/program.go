package cli

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
)

// Streams is what a program reads and writes. Getenv and Now may be nil.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer

	Getenv func(string) string // nil is an empty environment
	Now    func() time.Time    // nil is time.Now
	Colour bool                // Out shows colours
	Prompt bool                // there is a person at In and Err who can be asked
}

// Process is the streams of this process. Colour is for terminals, and for nobody who set NO_COLOR.
func Process() Streams {
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Colour: colours(terminal(os.Stdout), os.Getenv),
		Prompt: terminal(os.Stdin) && terminal(os.Stderr),
	}
}

func colours(terminal bool, getenv func(string) string) bool {
	return terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// terminal says whether a person may be at a file. What takes everything and shows nothing is a character device, too.
func terminal(f *os.File) bool {
	s, err := f.Stat()
	if err != nil || s.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	nothing, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(s, nothing)
}

// Build says what was built.
type Build struct{ Version, Commit string }

// Program is muster. It is made for one execution.
type Program struct {
	Streams
	Build
	ink  table.Ink
	dial dial
	root *cobra.Command
}

// New makes a program.
func New(s Streams, b Build) *Program {
	if s.Getenv == nil {
		s.Getenv = func(string) string { return "" }
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	p := &Program{Streams: s, Build: b, ink: table.Ink{Colour: s.Colour}}
	p.root = p.command()
	return p
}

// Run executes a command line, without the program's name, and returns the exit code. What went wrong has been told.
func (p *Program) Run(ctx context.Context, args []string) int {
	p.root.SetArgs(twoDashes(p.root, args))
	err := p.root.ExecuteContext(ctx)
	if err != nil {
		p.report(err)
	}
	return exitCode(err)
}

// Kinds of commands, as help lists them.
const (
	groupPeer     = "peer"
	groupObserved = "observed"
	groupGroup    = "group"
	groupOther    = "other"
)

// command is the whole tree.
func (p *Program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "muster",
		Short: "Keeps the roll of every cluster you run",
		Long: `muster discovers clusters and their nodes, asks every node how it is, and keeps one agreed
picture of each cluster and one ordered log of everything that changed.

It exits with 0, with 1 for an error and with 2 where a -filter matched nothing; a peer that meets what
only a later release knows with 78.`,
		Example: `  muster agent -dev                     a group of one peer, to try things with
  muster discovery apply orders.hcl     say where clusters are listed
  muster cluster list                   how they are
  muster event follow                   what changes`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { p.help(c) })
	root.SetUsageFunc(func(c *cobra.Command) error { p.help(c); return nil })
	root.SetFlagErrorFunc(unknownFlag)
	root.AddGroup(
		&cobra.Group{ID: groupObserved, Title: "What is observed"}, &cobra.Group{ID: groupGroup, Title: "Peers and the group"},
		&cobra.Group{ID: groupPeer, Title: "Running"}, &cobra.Group{ID: groupOther, Title: "Other"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupPeer, p.agent(), p.fleet(), p.sidecar())
	add(groupObserved, p.discovery(), p.cluster(), p.node(), p.event())
	add(groupGroup, p.members(), p.join(), p.leave(), p.forceLeave(), p.info(), p.monitor(), p.debug(), p.reload(), p.settings(), p.pause(), p.resume(), p.acl(), p.snapshot(),
		p.keyring(), p.operator())
	add(groupOther, p.tls(), p.validate(), p.keygen(), p.version(), p.completion())
	root.SetHelpCommandGroupID(groupOther)
	family(root)
	p.completes(root)
	return root
}

// family makes a command that only holds others say so: without a word more it is help, with an unknown one an error that
// names the nearest.
func family(c *cobra.Command) {
	for _, inner := range c.Commands() {
		family(inner)
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = unknownCommand
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
}
