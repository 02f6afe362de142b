package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// usualPause is how long all is paused where nobody says.
const usualPause = 30 * time.Minute

func (p *Program) pause() *cobra.Command {
	var ask httpd.NewPause
	var long time.Duration
	c := &cobra.Command{
		Use:   "pause",
		Short: "Pause all scheduling for a while",
		Long: `Pauses all scheduling: until the pause is over no run of a discovery and no refresh of a cluster begins, also none
that somebody asks for. What is under way goes on. Views stay as they are, so what fails meanwhile goes unseen, and
nothing is called missing or removed because of the pause. It ends by itself; muster resume ends it at once. Said again,
it changes how long and why.`,
		Example: `  muster pause
  muster pause -for 2h -reason 'moving racks, ask Ana'
  muster resume`,
		Args: exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			ask.For = fsm.DurationOf(long)
			done, err := api.Pause(ctx, ask)
			if err != nil {
				return err
			}
			p.say("All scheduling is paused until %s; muster resume ends the pause.", done.Pause.Until)
			return p.andJSON(done)
		}),
	}
	c.Flags().DurationVar(&long, "for", usualPause, "how long, at most 168h, as a `TIME` like 90m")
	c.Flags().StringVar(&ask.Reason, "reason", "", "`TEXT` for other operators")
	return p.asks(c)
}

func (p *Program) resume() *cobra.Command {
	return p.asks(&cobra.Command{
		Use:     "resume",
		Short:   "End the pause of all scheduling",
		Long:    "Ends the pause of all scheduling. What was missed begins at its next time, not all at once.",
		Example: "  muster resume",
		Args:    exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			ack, err := api.Resume(ctx)
			if err != nil {
				return err
			}
			if ack.Changed {
				p.say("Scheduling goes on.")
			} else {
				p.say("Nothing was paused.")
			}
			return p.andJSON(ack)
		}),
	})
}

// pauseText says until when all is paused, since when, and why.
func (p *Program) pauseText(s *fsm.Pause) string {
	words := fmt.Sprintf("until %s, for %s yet, begun %s ago", s.Until, p.ahead(s.Until), p.ago(s.Since))
	if s.Reason != "" {
		words += ": " + table.Clean(s.Reason)
	}
	return words
}

// warnOfPause says beside what is shown that it is not refreshed. What cannot be read is no reason to fail.
func (p *Program) warnOfPause(ctx context.Context, api *httpd.Client) {
	s, _, err := api.Settings(ctx, p.read())
	if err != nil || s.Pause == nil {
		return
	}
	fmt.Fprintf(p.Err, "\n%s all scheduling is paused %s.\n",
		table.Ink{Colour: p.Colour}.Paint(table.Warn, "Warning:"), strings.TrimSuffix(p.pauseText(s.Pause), "."))
}

func pausedStory(e *httpd.Event) string {
	before, after := sides[fsm.PausePart](e)
	if e.After == nil {
		return because("was paused until "+before.Until.String(), before.Reason, "")
	}
	return because("until "+became(before.Until.String(), after.Until.String()), after.Reason, "")
}
