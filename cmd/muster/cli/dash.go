package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// twoDashes writes long options that were given with one dash with two, and puts those before the command after it, where
// they belong. Values are left alone: those after an option that takes one, and all after "--".
func twoDashes(root *cobra.Command, args []string) []string {
	if len(args) > 1 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		last := len(args) - 1 // what the shell asks to complete
		return slices.Concat(args[:1], twoDashes(root, args[1:last]), args[last:])
	}
	var early, out []string
	value := false
	for i, arg := range args {
		switch {
		case value:
			value = false
		case arg == "--":
			return slices.Concat(out, early, args[i:])
		case len(arg) > 2 && arg[0] == '-':
			arg = "--" + strings.TrimLeft(arg, "-")
			name, _, joined := strings.Cut(arg[2:], "=")
			value = !joined && takesValue(root, name)
		case len(arg) < 2 || arg[0] != '-':
			out = append(out, arg)
			continue
		}
		if len(out) == 0 {
			early = append(early, arg)
		} else {
			out = append(out, arg)
		}
	}
	return slices.Concat(out, early)
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
