package cli

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent/backup"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) snapshotAgent() *cobra.Command {
	k := &backup.Keeper{}
	var logs logging
	var once, leaderOnly bool
	c := &cobra.Command{
		Use:   "agent",
		Short: "Save a backup every so often, with the help of any peer",
		Long: `Saves a backup to a directory every so often, and lets the oldest go, until it is stopped. Each is verified. It does not
matter which peer it asks, nor which of them leads. To back up a group once although one runs beside every peer, give each
-leader-only: it saves only while the peer it asks leads.

A peer does the same by itself, while it leads, when it is started with -backup-dir; muster info then shows how that goes.`,
		Example: `  muster snapshot agent -dir /var/backups/muster -interval 1h -retain 48
  muster snapshot agent -dir /var/backups/muster -leader-only              beside every peer
  muster snapshot agent -dir /var/backups/muster -once                     for cron`,
		Args: exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) (err error) {
			if k.Dir != "" {
				if k.Dir, err = filepath.Abs(k.Dir); err != nil {
					return err
				}
			}
			if err := k.Validate(); err != nil {
				return err
			}
			if k.Log, err = logs.logger(p.Err); err != nil {
				return err
			}
			k.Write = func(ctx context.Context, to io.Writer) error {
				_, err := api.Snapshot(ctx, p.read(), to)
				return err
			}
			if leaderOnly {
				k.Leads = func(ctx context.Context) (bool, error) {
					self, err := api.Self(ctx)
					return self.State == "leader", err
				}
			}
			if !once {
				return k.Run(ctx)
			}
			s, err := k.Once(ctx)
			switch {
			case err != nil:
				return err
			case !s.Leads:
				p.say("The asked peer does not lead: nothing was saved.")
			default:
				p.say("Saved and verified snapshot to index %d", s.Index)
			}
			return p.andJSON(s)
		}),
	}
	c.Flags().StringVar(&k.Dir, "dir", "", "`DIR` to keep backups in")
	keeperFlags(c, k, "")
	c.Flags().BoolVar(&leaderOnly, "leader-only", false, "save only while the asked peer leads")
	c.Flags().BoolVar(&once, "once", false, "save one and end")
	logs.flags(c)
	return c
}

// keeperFlags are the options for the rhythm of backups.
func keeperFlags(c *cobra.Command, k *backup.Keeper, prefix string) {
	c.Flags().DurationVar(&k.Interval, prefix+"interval", time.Hour, "`SPAN` between two backups")
	c.Flags().IntVar(&k.Retain, prefix+"retain", 48, "keep the last `N` backups")
}
