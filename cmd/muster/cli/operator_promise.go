package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent/offline"
)

func (p *Program) releasePromise() *cobra.Command {
	var dir, holder string
	c := &cobra.Command{
		Use:   "release-promise",
		Short: "Free a stopped peer from a peer that was lost while their group was founded",
		Long: `Peers that found a group together promise themselves, on disk, to one of them. When that one is lost before the group
is there, the others wait for it for ever, since it may have founded the group already. Where its data directory is
gone for good, stop each peer that waits, run this on its machine, and start it again.

Without -holder it says to which peer the stopped one is promised, and does nothing. While the holder is only away, do
not: you could have two groups.`,
		Example: "  muster operator release-promise -data-dir /var/lib/muster\n" +
			"  muster operator release-promise -data-dir /var/lib/muster -holder 01KB7M4N0Q8ZP3C1V6T5E2W9XA",
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return errNoDir
			}
			umask()
			if holder != "" {
				if err := offline.ReleasePromise(dir, holder); err != nil {
					return err
				}
				fmt.Fprintln(p.Out, "Done. Start this peer: it promises itself anew.")
				return nil
			}
			to, err := offline.PromisedTo(dir)
			switch {
			case err != nil:
				return err
			case to == "":
				fmt.Fprintln(p.Out, "This peer is promised to nobody.")
				return nil
			}
			fmt.Fprintf(p.Out, "This peer is promised to %s.\n", to)
			return errors.New("nothing was done; where that peer's data directory is gone for good, add -holder " + to)
		},
	}
	c.Flags().StringVar(&dir, "data-dir", "", "`DIR` of the stopped peer")
	c.Flags().StringVar(&holder, "holder", "", "`ID` of the peer that is lost for good")
	return c
}
