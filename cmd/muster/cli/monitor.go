package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	httpd "github.com/musterhq/muster/http"
)

func (p *Program) monitor() *cobra.Command {
	var q httpd.MonitorQuery
	var format string
	c := &cobra.Command{
		Use:   "monitor",
		Short: "Write what a peer logs as it happens, until interrupted",
		Long: `Writes what the asked peer logs from now on, until interrupted. The level may be lower than the one that the
peer logs at itself: nothing has to be set or restarted for that. With -format=json or -log-format=json each line is JSON.

Who does not take the lines in time loses some, and a line says how many; the peer waits for nobody.
With ACLs it needs the role operate.`,
		Example: `  muster monitor
  muster monitor -log-level debug -http-addr 10.0.0.2:8650
  muster monitor -format=json | jq 'select(.level == "WARN")'`,
		Args: exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			switch format {
			case "", "text", formatJSON:
				q.JSON = p.json() || format == formatJSON
			default:
				return fmt.Errorf("-log-format %q is neither text nor json", format)
			}
			if err := unlessInterrupted(ctx, api.Monitor(ctx, q, p.Out)); err != nil || ctx.Err() != nil {
				return err
			}
			return errors.New("the peer ended the stream; its last line says why")
		}),
	}
	c.Flags().StringVar(&q.Level, "log-level", "info", "`LEVEL` from which on to write: debug, info, warn or error")
	c.Flags().StringVar(&format, "log-format", "", "`text` or json (default as -format says)")
	return p.asks(c)
}
