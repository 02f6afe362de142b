package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// The exit codes.
const (
	exitError   = 1
	exitNothing = 2
	exitNewer   = 78
)

// errNothing marks that a filter matched nothing.
var errNothing = errors.New("nothing matched")

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, fsm.ErrNewer):
		return exitNewer
	case errors.Is(err, errNothing):
		return exitNothing
	}
	return exitError
}

// report tells what went wrong, and what to do about it where that is known.
func (p *Program) report(err error) {
	if errors.Is(err, errNothing) {
		fmt.Fprintln(p.Err, printable(err.Error()))
		return
	}
	fmt.Fprintf(p.Err, "%s %s\n", table.Ink{Colour: p.Colour}.Paint(table.Bad, "Error:"), printable(p.explain(err)))
}

// explain is an error with what to do about it.
func (p *Program) explain(err error) string {
	var answer *httpd.StatusError
	var unreached *url.Error
	switch {
	case errors.As(err, &answer):
		return p.refusal(err.Error(), answer)
	case errors.As(err, &unreached) && p.untrusted(unreached.Err) != "":
		return fmt.Sprintf("no trust between this program and %s: %s\n%s", p.dial.address, unreached.Err, p.untrusted(unreached.Err))
	case errors.Is(err, context.Canceled):
		return p.interrupted()
	case errors.As(err, &unreached) && !errors.Is(err, context.DeadlineExceeded): // late is not the same as not there
		return fmt.Sprintf("no peer answers at %s: %s\nIs an agent running there (muster agent -dev)? "+
			"-http-addr or %s names another peer.", p.dial.address, unreached.Err, envAddr)
	}
	return err.Error()
}

// interrupted says what became of a command that was.
func (p *Program) interrupted() string {
	if p.dial.reading {
		return "interrupted"
	}
	return "interrupted; what was asked for may have been done or not"
}

// leaderless says what there is to do without a leader.
func (p *Program) leaderless() string {
	words := "There is no leader, and without one nothing is changed."
	switch {
	case p.dial.reading && p.dial.stale:
		words = "There is no leader."
	case p.dial.reading:
		words = "There is no leader; -stale reads what the peer itself knows."
	}
	return words + " muster operator raft list-peers -stale shows who is heard: most voters must run."
}

// refusal is an answer of the API with what belongs to it.
func (p *Program) refusal(text string, answer *httpd.StatusError) string {
	refused := answer.Refusal
	var b strings.Builder
	b.WriteString(strings.Replace(text, "?stale", "-stale", 1)) // as it is said here
	switch {
	case answer.NoLeader:
		b.WriteString("\n" + p.leaderless())
	case errors.Is(refused, fsm.ErrClaimed) && answer.Claim != nil:
		c := answer.Claim
		fmt.Fprintf(&b, "\n%s has it since %s (%s).", c.Peer, p.ago(c.Granted), c.Reason)
	case len(refused.Fields) > 1 && (errors.Is(refused, fsm.ErrConflict) || errors.Is(refused, fsm.ErrNotFound)):
		for _, field := range slices.Sorted(maps.Keys(refused.Fields)) {
			fmt.Fprintf(&b, "\n  %s %s", field, refused.Fields[field])
		}
	case errors.Is(refused, fsm.ErrGone) && refused.Fields["oldest"] != "":
		fmt.Fprintf(&b, "\nThe oldest place that is known: %s %s", cmp.Or(p.dial.place, "-after"), refused.Fields["oldest"])
	}
	return b.String()
}

// printable is a text of several lines of which each prints.
func printable(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = table.Clean(line)
	}
	return strings.Join(lines, "\n")
}
