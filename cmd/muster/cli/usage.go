package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) usage() *cobra.Command {
	return &cobra.Command{
		Use:   "usage",
		Short: "Show what the group and the asked peer use, and of how much",
		Long: `Shows how much there is of what grows, and how near it is to its limit: of the group, which all peers tell alike, and of
the asked peer. What is marked (rolls) refuses nothing at its limit: the oldest goes, or what was gathered is put away.
No cluster or node is named.`,
		Example: `  muster operator usage
  muster operator usage -http-addr 10.0.0.2:8650
  muster operator usage -format=json | jq '.usage[] | select(.limit > 0 and .used / .limit > 0.8)'`,
		Args: exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			u, _, err := api.Usage(ctx, p.read())
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(u)
			}
			if err := p.writeUsage("Group", httpd.OfGroup, u.Usage); err != nil {
				return err
			}
			fmt.Fprintln(p.Out)
			return p.writeUsage("Peer "+u.Peer, httpd.OfPeer, u.Usage)
		}),
	}
}

// writeUsage writes the rows of one kind as a table with a head.
func (p *Program) writeUsage(head, of string, rows []httpd.UsageRow) error {
	t := table.Columns(
		table.Column{Head: head}, table.Column{Head: "Used", Right: true}, table.Column{Head: "Limit", Right: true},
		table.Column{Head: "Share", Right: true}, table.Column{Head: "Limit set by"},
	)
	for _, row := range rows {
		if row.Of != of {
			continue
		}
		limit, share, by := "-", table.Cell{Text: "-"}, row.Setting
		if row.Limit > 0 {
			limit, share = amount(row.Unit, row.Limit), shareOf(&row)
		}
		if row.Rolls {
			by = strings.TrimSpace(by + " (rolls)")
		}
		t.Row(strings.ReplaceAll(row.Name, "_", " "), amount(row.Unit, row.Used), limit, share, by)
	}
	return p.write(t)
}

// From which share of a limit on somebody should know, and act.
const (
	nearLimit = 80
	atLimit   = 95
)

// shareOf is how much of a limit is used.
func shareOf(row *httpd.UsageRow) table.Cell {
	percent := float64(row.Used) / float64(row.Limit) * 100
	c := table.Cell{Text: fmt.Sprintf("%.0f %%", percent)}
	switch {
	case row.Rolls || percent < nearLimit:
	case percent < atLimit:
		c.Mood = table.Warn
	default:
		c.Mood = table.Bad
	}
	return c
}

// amount is so much of a unit.
func amount(unit string, n int64) string {
	switch unit {
	case httpd.UnitBytes:
		return size(n)
	case httpd.UnitSeconds:
		return table.Age(time.Duration(n) * time.Second)
	}
	return strconv.FormatInt(n, 10)
}
