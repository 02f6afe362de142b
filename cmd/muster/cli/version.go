package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (p *Program) version() *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Say which release this is",
		Example: "  muster version\n  muster version -format=json",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			switch p.dial.format {
			case "table":
				_, err := fmt.Fprintf(p.Out, "muster %s (%s, %s)\n", p.Version, p.Commit, runtime.Version())
				return err
			case formatJSON:
				return p.writeJSON(release{p.Version, p.Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH})
			}
			return fmt.Errorf("-format %q is neither table nor json", p.dial.format)
		},
	}
	c.Flags().StringVar(&p.dial.format, "format", "table", "`table` or json")
	return c
}

// release is what a program says of itself.
type release struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}
