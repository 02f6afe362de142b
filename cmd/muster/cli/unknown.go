package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/discovery"
)

// unknownFlag tells what is wrong with an option, and which one is near.
func unknownFlag(c *cobra.Command, err error) error {
	var unknown interface{ GetSpecifiedName() string }
	if !errors.As(err, &unknown) || c.Flags().Lookup(unknown.GetSpecifiedName()) != nil {
		return fmt.Errorf("%s; see %s -help", strings.ReplaceAll(err.Error(), "--", "-"), c.CommandPath())
	}
	name := "-" + unknown.GetSpecifiedName()
	return fmt.Errorf("%s has no option %s%s; see %s -help",
		c.CommandPath(), name, discovery.DidYouMean(name, flagNames(c)), c.CommandPath())
}

// flagNames is a command's options, as its help lists them.
func flagNames(c *cobra.Command) []string {
	var names []string
	for line := range strings.Lines(c.LocalFlags().FlagUsages() + c.InheritedFlags().FlagUsages()) {
		if _, after, ok := strings.Cut(line, "--"); ok {
			name, _, _ := strings.Cut(after, " ")
			names = append(names, "-"+strings.TrimSpace(name))
		}
	}
	return names
}

// unknownCommand refuses words after a command that only holds others.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, inner := range c.Commands() {
		if inner.IsAvailableCommand() {
			names = append(names, inner.Name())
		}
	}
	return fmt.Errorf("%s has no command %q%s; there are: %s",
		c.CommandPath(), args[0], discovery.DidYouMean(args[0], names), strings.Join(names, ", "))
}

// exactly wants so many arguments, which the command's Use names.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == n:
			return nil
		case n == 0:
			return fmt.Errorf("%s takes no argument, but here is %q; see %s -help", c.CommandPath(), args[0], c.CommandPath())
		}
		return wrongCount(c)
	}
}

// someArgs wants one argument or more.
func someArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return wrongCount(c)
}

func atMostOne(c *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return wrongCount(c)
}

func wrongCount(c *cobra.Command) error {
	return fmt.Errorf("usage: %s", useLine(c))
}

func useLine(c *cobra.Command) string {
	if c.HasParent() {
		return c.Parent().CommandPath() + " " + c.Use
	}
	return c.Use
}
