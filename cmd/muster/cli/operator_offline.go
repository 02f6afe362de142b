package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent/offline"
)

func (p *Program) recover() *cobra.Command {
	var dir string
	var yes bool
	c := &cobra.Command{
		Use:   "recover",
		Short: "Make a group of one out of a stopped peer, where most voters are lost for good",
		Long: `Where most voters are lost for good, no leader can be elected any more. This makes a group of one out of what one peer
has on its disk. Stop all peers that are left, choose the one that muster info said had applied most, and run this on its
machine; then start that peer as it was started before, and let the others join it with empty data directories.

Without -yes it says what it would do. What the lost peers alone knew is lost; what this peer had received counts, also
where it was never acknowledged. A new epoch begins and the group has another id, so that peers of the old one cannot
disturb it. The old files are kept aside.

While most voters are only away, do not: they go on by themselves when they are back.`,
		Example: "  muster operator recover -data-dir /var/lib/muster\n  muster operator recover -data-dir /var/lib/muster -yes",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) (err error) {
			if dir == "" {
				return errNoDir
			}
			r, err := offline.OpenRecovery(dir, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, r.Close()) }()
			p.tellRecovery(r)
			if !yes {
				return errors.New("nothing was done; add -yes to go on")
			}
			umask()
			if err := r.Do(); err != nil {
				return err
			}
			fmt.Fprintln(p.Out, "Done. Start this peer; it will lead alone. Wipe the data directories of the others and let them join.")
			return nil
		},
	}
	c.Flags().StringVar(&dir, "data-dir", "", "`DIR` of the stopped peer")
	c.Flags().BoolVar(&yes, "yes", false, "do it")
	return c
}

var errNoDir = errors.New("no -data-dir: say where the stopped peer keeps its log")

func (p *Program) tellRecovery(r *offline.Recovery) {
	dropped := "none"
	if len(r.Dropped) > 0 {
		dropped = strings.Join(r.Dropped, ", ")
	}
	p.writeFacts([]fact{
		plain("Peer", dash(r.Peer)+" goes on alone"), plain("Dropped", dropped),
		plain("Log", fmt.Sprintf("to entry %d, of which all count, acknowledged or not", r.Index)),
		plain("Events", fmt.Sprintf("to %d; a new epoch begins after it, in a group with another id", r.Seq)),
		plain("Kept", "the old files in "+r.Aside),
	})
}

func (p *Program) compactLog() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "compact-log",
		Short: "Write the log of a stopped peer anew, without the room it no longer needs",
		Long: `The file of a peer's log never shrinks by itself: what is trimmed leaves room for later entries. This writes the file
anew. The peer must be stopped; there must be room for both files.`,
		Example: "  muster operator compact-log -data-dir /var/lib/muster",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return errNoDir
			}
			umask()
			before, after, err := offline.CompactLog(dir)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.Out, "The log took %s and takes %s.\n", size(before), size(after))
			return nil
		},
	}
	c.Flags().StringVar(&dir, "data-dir", "", "`DIR` of the stopped peer")
	return c
}
