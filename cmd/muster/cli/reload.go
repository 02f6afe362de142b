package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/cmd/muster/table"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) reload() *cobra.Command {
	return p.asks(&cobra.Command{
		Use:   "reload",
		Short: "Have the asked peer read its configuration again",
		Long: `Has the asked peer read the files of its configuration again, as SIGHUP does, and tells what has changed.
What only a restart changes is told, too. When anything in a file is wrong nothing is taken over.
Files that settings name are read again in any case, and discoveries of the files are applied again.`,
		Example: "  muster validate /etc/muster && muster reload\n  muster reload -http-addr 10.0.0.3:8650 -format=json",
		Args:    exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			done, err := api.Reload(ctx)
			if err != nil {
				return err
			}
			p.sayReloaded(&done)
			return p.andJSON(done)
		}),
	})
}

func (p *Program) sayReloaded(done *httpd.Reloaded) {
	if len(done.Files) == 0 {
		p.say("The peer runs without configuration files: there was nothing to read.")
		return
	}
	p.say("Read %s.", counted(len(done.Files), "file", "files"))
	for _, c := range done.Applied {
		p.say("  %s is %s now; it was %s.", c.Setting, shown(c.After), shown(c.Before))
	}
	for _, c := range done.Restart {
		p.say("  %s stays %s until the peer is restarted; then it will be %s.", c.Setting, shown(c.Before), shown(c.After))
	}
	if len(done.Applied)+len(done.Restart) == 0 {
		p.say("No setting has changed.")
	}
	if done.Discoveries > 0 {
		p.say("%s of the files: the peer applies what has changed of them.", counted(done.Discoveries, "discovery", "discoveries"))
	}
}

// shown is the value of a setting as people read it.
func shown(value string) string {
	if value == "" {
		return "empty"
	}
	return fmt.Sprintf("%q", table.Clean(value))
}

// hangups are the signals that ask for a reload; stop ends them.
func hangups() (asked <-chan os.Signal, stop func()) {
	to := make(chan os.Signal, 1)
	signal.Notify(to, syscall.SIGHUP)
	return to, func() { signal.Stop(to) }
}

// live runs a peer and has it read its configuration again whenever that is asked for. What went wrong then the peer has
// logged.
func live(ctx context.Context, a *agent.Agent, asked <-chan os.Signal) error {
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return err
		case <-asked:
			_, _ = a.Reload(ctx)
		}
	}
}
