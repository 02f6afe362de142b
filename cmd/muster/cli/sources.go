package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/musterhq/muster/cmd/muster/table"
	httpd "github.com/musterhq/muster/http"
)

// sourcesShown is of how many discoveries it is told beside clusters how they are.
const sourcesShown = 3

// tellOfSources says beside clusters which discoveries do not tell what there should be; where there are no clusters, why that is.
// What cannot be read is no reason to fail.
func (p *Program) tellOfSources(ctx context.Context, api *httpd.Client, none bool) {
	rows, err := all(ctx, p.list(""), api.Discoveries)
	if err != nil {
		return
	}
	if none {
		p.sayWhyNone(rows)
		return
	}
	rows = slices.DeleteFunc(rows, func(d httpd.DiscoveryRow) bool { return d.Deleting || !d.Enabled || whyNotGood(&d) == "" })
	if len(rows) > 0 {
		fmt.Fprintln(p.Err)
	}
	for i := range rows[:min(len(rows), sourcesShown)] {
		d := &rows[i]
		p.warn("discovery %s is %s: %s", d.Name, runState(d).Text, whyNotGood(d))
	}
	if more := len(rows) - sourcesShown; more > 0 {
		p.warn("and %d more: muster discovery list", more)
	}
}

// sayWhyNone says what the discoveries tell that led to no cluster.
func (p *Program) sayWhyNone(rows []httpd.DiscoveryRow) {
	if len(rows) == 0 {
		p.say("Say where they are listed: muster discovery apply FILE")
	}
	for i := range rows[:min(len(rows), sourcesShown)] {
		p.say("Discovery %s %s", rows[i].Name, table.Clean(yield(&rows[i])))
	}
	if more := len(rows) - sourcesShown; more > 0 {
		p.say("There are %d more: muster discovery list", more)
	}
}

// yield is what became of a discovery that led to no cluster.
func yield(d *httpd.DiscoveryRow) string {
	switch {
	case d.Deleting:
		return "is being deleted."
	case !d.Enabled:
		return `is off: "enabled" is false.`
	case d.Failing != "":
		return "fails: " + whyNotGood(d)
	case d.LastRun.At == 0:
		return "has not been read yet."
	}
	return fmt.Sprintf("lists %s; see muster discovery show %s", counted(d.LastRun.Records, "node", "nodes"), d.Name)
}
