package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
)

// help writes a command's page.
func (p *Program) help(c *cobra.Command) {
	head := func(s string) { fmt.Fprintf(p.Out, "\n%s\n", p.ink.Paint(table.Head, s)) }
	about := c.Long
	if about == "" {
		about = c.Short
	}
	fmt.Fprintf(p.Out, "Usage: %s\n\n%s\n", usage(c), strings.TrimSpace(about))
	for _, g := range c.Groups() {
		head(g.Title)
		p.listCommands(c, g.ID)
	}
	if c.HasAvailableSubCommands() && len(c.Groups()) == 0 {
		head("Commands")
		p.listCommands(c, "")
	}
	if c.HasAvailableLocalFlags() {
		head("Options")
		fmt.Fprint(p.Out, oneDash(c.LocalFlags().FlagUsages()))
	}
	if c.HasAvailableInheritedFlags() {
		head("Options of all commands that ask a peer")
		fmt.Fprint(p.Out, oneDash(c.InheritedFlags().FlagUsages()))
	}
	if c.Example != "" {
		head("Examples")
		fmt.Fprintln(p.Out, strings.TrimRight(c.Example, "\n"))
	}
}

func usage(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND"
	}
	return useLine(c)
}

func (p *Program) listCommands(c *cobra.Command, group string) {
	for _, inner := range c.Commands() {
		if inner.IsAvailableCommand() && inner.GroupID == group {
			fmt.Fprintf(p.Out, "  %-*s  %s\n", inner.NamePadding(), inner.Name(), inner.Short)
		}
	}
}

var optionStart = regexp.MustCompile(`(?m)^ +(-h, )?--`)

// oneDash is options as we write them.
func oneDash(flags string) string { return optionStart.ReplaceAllString(flags, "  -") }
