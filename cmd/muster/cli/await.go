package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const (
	awaitLimit = 5 * time.Minute  // a claim is renewed or expires well within
	awaitOnce  = 20 * time.Second // of one blocking read
)

// errand is a run or refresh that was asked for.
type errand struct {
	claim   httpd.ClaimRow
	doing   string // what its holder does now
	cluster string // whose events tell what came of it; empty for those of all
	detach  bool
	last    func(context.Context) (fsm.Work, error) // how the last one of the subject went
}

// outcome is what came of an errand, as JSON.
type outcome struct {
	Claim  httpd.ClaimRow `json:"claim"`
	Done   fsm.Work       `json:"done"`
	Events []httpd.Event  `json:"events"`
}

// awaitAndTell waits until an errand is done and tells what came of it.
func (p *Program) awaitAndTell(ctx context.Context, api *httpd.Client, e errand) error {
	if e.detach {
		p.say("%s %s; it was not waited for.", e.claim.Peer, e.doing)
		return p.andJSON(e.claim)
	}
	if !p.json() {
		fmt.Fprintf(p.Err, "%s %s…\n", e.claim.Peer, e.doing)
	}
	done, err := await(ctx, api, e)
	if err != nil {
		return err
	}
	events, err := read(ctx, api, httpd.EventsQuery{Cluster: e.cluster, Since: e.claim.Granted.String()})
	if err != nil {
		return err
	}
	out := outcome{Claim: e.claim, Done: done, Events: []httpd.Event{}}
	for _, event := range events {
		if event.Cause.Token == e.claim.Token {
			out.Events = append(out.Events, event)
		}
	}
	return p.tellOutcome(out)
}

// await waits until the claim of an errand is closed.
func await(ctx context.Context, api *httpd.Client, e errand) (fsm.Work, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, awaitLimit, errors.New("it is not done after "+awaitLimit.String()))
	defer cancel()
	at := httpd.List{Filter: fmt.Sprintf("token == %d", e.claim.Token), Limit: pageSize, Read: httpd.Read{Wait: awaitOnce}}
	for {
		page, err := api.Claims(ctx, at)
		if err != nil {
			return fsm.Work{}, err
		}
		open := false
		for _, c := range page.Rows {
			open = open || c.Subject == e.claim.Subject
		}
		if !open {
			break
		}
		at.Index = page.Index
	}
	done, err := e.last(ctx)
	if err == nil && done.At < e.claim.Granted {
		err = errors.New("it was called off before it was done: its setting was changed, or it is gone")
	}
	return done, err
}

func (p *Program) tellOutcome(out outcome) error {
	if p.json() {
		if err := p.writeJSON(out); err != nil {
			return err
		}
	} else {
		records := ""
		if out.Done.Records > 0 {
			records = ", " + counted(out.Done.Records, "record", "records")
		}
		fmt.Fprintf(p.Out, "%s in %s by %s%s.\n",
			p.ink.Paint(outcomeMood(out.Done.Outcome), capital(out.Done.Outcome)), took(out.Done.Took), dash(out.Done.Peer), records)
		for i := range out.Events {
			p.writeEvent(&out.Events[i])
		}
	}
	switch out.Done.Outcome {
	case fsm.OutcomeFailed:
		return fmt.Errorf("%s %s: %s", out.Claim.Subject.Kind, out.Claim.Subject.Name, out.Done.Error)
	case fsm.OutcomeGivenBack, fsm.OutcomeExpired:
		return fmt.Errorf("%s %s was not finished (%s); it is due again at once", out.Claim.Subject.Kind, out.Claim.Subject.Name, out.Done.Error)
	case fsm.OutcomeHeld:
		p.say("Absences are held back; see muster discovery show %s", out.Claim.Subject.Name)
	}
	return nil
}

// took is how long something took; what took less than is measured took a little.
func took(d fsm.Duration) string {
	if d == 0 {
		return "under 1ms"
	}
	return d.String()
}

// capital is an outcome at the beginning of a sentence.
func capital(outcome string) string {
	switch outcome {
	case "":
		return "Done"
	case fsm.OutcomeGivenBack:
		return "Given back"
	}
	return string(outcome[0]-'a'+'A') + outcome[1:]
}

// say writes a sentence for people; andJSON is what is written instead for programs.
func (p *Program) say(format string, args ...any) {
	if !p.json() {
		fmt.Fprintf(p.Out, format+"\n", args...)
	}
}

func (p *Program) andJSON(v any) error {
	if !p.json() {
		return nil
	}
	return p.writeJSON(v)
}
