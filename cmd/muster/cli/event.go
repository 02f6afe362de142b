package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) event() *cobra.Command {
	c := p.asks(&cobra.Command{
		Use:   "event",
		Short: "Read the log of what changed, or follow it",
		Long: `Reads the one ordered log of everything that changed. A place in it is a cursor, EPOCH:SEQ: that of an
event is its "epoch" and "seq" in -format=json.`,
		Example: `  muster event list -since 24h -cluster orders
  muster event follow -type 'node.*'`,
	})
	c.AddCommand(p.eventList(), p.eventFollow())
	return c
}

// defaultSince is how far back a list goes that was told neither where to begin nor when.
const defaultSince = "1h"

// selection is which events are meant.
func selection(c *cobra.Command, q *httpd.EventsQuery) {
	f := c.Flags()
	f.StringVar(&q.Cluster, "cluster", "", "only those of the cluster of that `NAME`")
	f.StringVar(&q.Node, "node", "", "only those of nodes with that `ID`")
	f.StringVar(&q.Type, "type", "", "only those of a `TYPE`, or of all that begin alike: node.*")
	f.StringVar(&q.Since, "since", "", "only those of a `TIME` and later: 2026-11-22T10:00:00Z, or 1h for an hour ago")
	f.StringVar(&q.After, "after", "", "only those after a `CURSOR`")
}

func (p *Program) eventList() *cobra.Command {
	var q httpd.EventsQuery
	var last int
	c := &cobra.Command{
		Use:   "list",
		Short: "List events, oldest first",
		Long: `Lists events, oldest first: those of the last hour when none of -last, -since and -after is given. With -last
only the last ones, like tail.`,
		Example: `  muster event list
  muster event list -last 20
  muster event list -since 24h -cluster orders
  muster event list -type 'shard.primary_*' -since 2026-11-22T00:00:00Z
  muster event list -operators`,
		Args: exactly(0),
	}
	c.RunE = p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
		p.heedType(q.Type)
		if c.Flags().Changed("last") {
			return p.listLast(ctx, api, q, last)
		}
		return p.listEvents(ctx, api, q)
	})
	selection(c, &q)
	c.Flags().IntVar(&last, "last", 0, "only the last `N` of them")
	c.Flags().BoolVar(&q.Audit, "operators", false, "only what operators did, which is kept longer")
	return c
}

// heedType warns of a type that no event has, as far as this release knows: nothing comes of it, and who follows would wait for ever.
func (p *Program) heedType(pattern string) {
	known := fsm.EventTypes()
	if slices.ContainsFunc(known, func(t fsm.EventType) bool { return t.Matches(pattern) }) {
		return
	}
	names := make([]string, 0, len(known))
	for _, t := range known {
		names = append(names, string(t))
	}
	p.warn("this release knows no events of type %s%s", pattern, discovery.DidYouMean(pattern, names))
}

func (p *Program) listEvents(ctx context.Context, api *httpd.Client, q httpd.EventsQuery) error {
	hint := ""
	if q.Since == "" && q.After == "" && !q.Audit {
		q.Since = defaultSince
		hint = " in the last hour; -since 24h looks further back, -last 20 as far as it takes"
	}
	events, err := read(ctx, api, q)
	if err != nil {
		return err
	}
	return p.writeEvents(events, hint)
}

// listLast lists the last events that are meant.
func (p *Program) listLast(ctx context.Context, api *httpd.Client, q httpd.EventsQuery, last int) error {
	switch {
	case last < 1:
		return fmt.Errorf("-last %d: there is no such number of events; say 1 or more", last)
	case q.After != "":
		return errors.New("-last and -after exclude each other: one counts from the end, the other from a place on")
	}
	events, err := latest(ctx, api, q, last, nil)
	if err != nil {
		return err
	}
	return p.writeEvents(events, "")
}

// writeEvents writes a list; hint says what it is of where it is empty.
func (p *Program) writeEvents(events []httpd.Event, hint string) error {
	if p.json() {
		return p.writeJSON(events)
	}
	if len(events) == 0 {
		fmt.Fprintf(p.Out, "No events%s.\n", hint)
	}
	for i := range events {
		p.writeEvent(&events[i])
	}
	return nil
}

func (p *Program) eventFollow() *cobra.Command {
	var q httpd.EventsQuery
	c := &cobra.Command{
		Use:   "follow",
		Short: "Write events as they happen, until interrupted",
		Long: `Writes each event as it happens, until interrupted: from now on, or from where -since or -after say.
Connections that break are made again, and no event is left out or written twice; if events are no
longer kept that should come next, it ends with an error that says so. With -format=json each event is
one line.`,
		Example: `  muster event follow
  muster event follow -type 'node.*' -cluster orders
  muster event follow -since 10m -format=json | jq .type`,
		Args: exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			return p.follow(ctx, api, q)
		}),
	}
	selection(c, &q)
	return c
}

func (p *Program) follow(ctx context.Context, api *httpd.Client, q httpd.EventsQuery) error {
	p.heedType(q.Type)
	if q.After == "" && q.Since == "" {
		q.After = "now"
	}
	// Following tries again for ever; a peer that is not there at all is told at once.
	if _, err := api.Self(ctx); err != nil {
		return err
	}
	line := json.NewEncoder(p.Out)
	line.SetEscapeHTML(false)
	err := api.Follow(ctx, q, func(e httpd.Event) error {
		if p.json() {
			return line.Encode(e)
		}
		p.writeEvent(&e)
		return nil
	})
	return unlessInterrupted(ctx, err)
}

// unlessInterrupted is the error of what runs until it is interrupted: that is no error.
func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Widths of an event's columns: those of a list are the same as those of what is still to come.
const (
	typeWidth  = 25
	aboutWidth = 26
)

// writeEvent writes one line.
func (p *Program) writeEvent(e *httpd.Event) {
	about := table.Clean(subject(e))
	line := fmt.Sprintf("%s  %s%s  %s%s  %s", p.ink.Paint(table.Dim, fmt.Sprintf("%6d  %s", e.Seq, e.Time)),
		p.ink.Paint(moodOf(e.Type), table.Clean(string(e.Type))), pad(string(e.Type), typeWidth),
		about, pad(about, aboutWidth), table.Clean(story(e)))
	fmt.Fprintln(p.Out, strings.TrimRight(line, " "))
}

func pad(s string, width int) string { return strings.Repeat(" ", max(0, width-table.Width(s))) }

// read reads all events that are meant and there now.
func read(ctx context.Context, api *httpd.Client, q httpd.EventsQuery) ([]httpd.Event, error) {
	out := []httpd.Event{}
	for {
		page, err := api.Events(ctx, q, pageSize)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Rows...)
		if page.Next == q.After {
			return out, nil
		}
		q.After = page.Next
	}
}

// latest is the last n events that are meant and wanted, oldest first, from pages that grow as long as it looks. A nil wanted takes all.
func latest(ctx context.Context, api *httpd.Client, q httpd.EventsQuery, n int, wanted func(*httpd.Event) bool) ([]httpd.Event, error) {
	out := []httpd.Event{}
	q.Reverse = true
	for size := max(n, 10); ; size *= 2 {
		size = min(size, pageSize)
		page, err := api.Events(ctx, q, size)
		if err != nil {
			return nil, err
		}
		for i := range page.Rows {
			if wanted == nil || wanted(&page.Rows[i]) {
				out = append(out, page.Rows[i])
			}
		}
		if q.After = page.Next; len(out) >= n || q.After == "" {
			break
		}
	}
	out = out[:min(n, len(out))]
	slices.Reverse(out)
	return out, nil
}

// moodOf is what an event means for those who look after the fleet.
func moodOf(t fsm.EventType) table.Mood {
	_, word, _ := strings.Cut(string(t), ".")
	switch word {
	case "unreachable", "down", "primary_lost", "primary_duplicated", "failed", "identity_mismatch", "held", "removed":
		return table.Bad
	case "missing", "expired", "lag_high", "versions_mixed", "doubted", "leaving", "unknown":
		return table.Warn
	case "reachable", "up", "primary_restored", "recovered", "returned", "lag_ok", "identity_matched":
		return table.Good
	}
	return table.Plain
}

// subject is whom an event is about.
func subject(e *httpd.Event) string {
	about := e.Cluster
	if e.Node != "" {
		about += "/" + e.Node
	}
	if e.Shard != "" {
		about += " shard " + e.Shard
	}
	if about == "" {
		about = named(e)
	}
	return dash(about)
}

// named is the name within what an event tells, for those that are not about a cluster.
func named(e *httpd.Event) string {
	var part struct{ Name, Peer, Subject, Accessor string }
	for _, raw := range []json.RawMessage{e.After, e.Before} {
		if json.Unmarshal(raw, &part) == nil {
			for _, name := range []string{part.Name, part.Peer, part.Subject, part.Accessor} {
				if name != "" {
					return name
				}
			}
		}
	}
	return ""
}
