package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (p *Program) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which release this is",
		Example: "  muster version",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.Out, "muster %s (%s, %s)\n", p.Version, p.Commit, runtime.Version())
			return err
		},
	}
}
