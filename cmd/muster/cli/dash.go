package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// twoDashes writes long options that were given with one dash with two. Values are left alone: those after an option that
// takes one, and all after "--".
func twoDashes(root *cobra.Command, args []string) []string {
	out := make([]string, 0, len(args))
	value, over := false, len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
	for _, arg := range args {
		switch {
		case over || value || len(arg) < 3 || arg[0] != '-':
			value = false
			over = over || arg == "--"
			out = append(out, arg)
			continue
		case arg[1] != '-':
			arg = "-" + arg
		}
		name, _, joined := strings.Cut(arg[2:], "=")
		value = !joined && takesValue(root, name)
		out = append(out, arg)
	}
	return out
}

// takesValue says whether an option of any command takes the word after it. A name means the same everywhere.
func takesValue(c *cobra.Command, name string) bool {
	f := c.Flags().Lookup(name)
	if f == nil {
		f = c.PersistentFlags().Lookup(name)
	}
	if f != nil {
		return f.NoOptDefVal == ""
	}
	for _, inner := range c.Commands() {
		if takesValue(inner, name) {
			return true
		}
	}
	return false
}
