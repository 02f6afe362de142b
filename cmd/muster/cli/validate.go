package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/discovery"
)

func (p *Program) validate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE…",
		Short: "Check files of discoveries, without asking a peer",
		Long: `Checks files of discoveries as a peer of this release would: their shape, words and numbers, filters,
templates, and the configs of backends and probers. All that is wrong is told with file and line.
"-" is stdin.`,
		Example: "  muster validate orders.hcl payments.json",
		Args:    someArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			found, err := p.readDiscoveries(args)
			if err != nil {
				return err
			}
			var wrong []string
			for i := range found {
				if err := discovery.Validate(found[i].Spec, backends(), checkProber); err != nil {
					wrong = append(wrong, found[i].Place(err).Error())
				}
			}
			if len(wrong) > 0 {
				return fmt.Errorf("%s", strings.Join(wrong, "\n"))
			}
			_, err = fmt.Fprintf(p.Out, "Good: %s in %s.\n",
				counted(len(found), "discovery", "discoveries"), counted(len(args), "file", "files"))
			return err
		},
	}
}
