package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const (
	moveBatch  = 500 // nodes that one transition may name
	movesShown = 10
)

// move is a verb that moves nodes to another lifecycle.
type move struct {
	verb, short, long string
	to                fsm.Lifecycle
	only              fsm.Lifecycle // moves nodes of this lifecycle alone; empty for all
	force             string        // what -force is for; empty for a verb that has none
}

var moves = []move{
	{
		verb: "commission", to: fsm.Commissioned, short: "Let nodes in: they are asked, and count",
		long:  "Lets nodes in, those that wait for it and those that were decommissioned: they are asked, and count in health.",
		force: "also those that no source lists now",
	},
	{
		verb: "maintenance", to: fsm.Maintenance, short: "Leave nodes out of health while they are worked on",
		force: "also against a guard",
		long:  "Leaves nodes out of their cluster's health while they are worked on. They are still asked, and their events say so.",
	},
	{
		verb: "resume", to: fsm.Commissioned, only: fsm.Maintenance, short: "End maintenance",
		long: "Ends maintenance: the nodes count in health again.",
	},
	{
		verb: "decommission", to: fsm.Decommissioned, short: "Let nodes out for good, though they are still listed",
		force: "also against a guard",
		long:  "Lets nodes out: they are not asked any more, and do not come back by themselves while they are listed.",
	},
	{
		verb: "forget", to: fsm.Forgotten, short: "Remove nodes that no source lists any more",
		long:  "Removes decommissioned nodes that are gone from their sources, with all that was set on them.",
		force: "also those that are still listed; they come back with the next run",
	},
}

func (p *Program) nodeMove(m *move) *cobra.Command {
	var filter string
	var yes, force bool
	c := &cobra.Command{
		Use:   m.verb + " NODE… | -filter EXPRESSION",
		Short: m.short,
		Long: m.long + `

All named nodes move in one step, or none does and each that forbids it is named. Beyond 500 it takes
several steps. What -filter selects is shown first, and moved after a yes.`,
		Example: fmt.Sprintf("  muster node %s orders/orders-1 orders/orders-2\n  muster node %s -filter 'labels.rack == \"r7\"' -yes", m.verb, m.verb),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			if (len(args) == 0) == (filter == "") {
				return errors.New("say which nodes: cluster/id, any number of them, or -filter EXPRESSION")
			}
			names, err := p.chosen(ctx, api, m, args)
			if filter != "" {
				names, err = p.selected(ctx, api, m, filter)
			}
			if err != nil {
				return err
			}
			if filter != "" && !yes {
				if err := p.confirm(m, len(names)); err != nil {
					return err
				}
			}
			return p.moveAll(ctx, api, httpd.Transition{To: m.to, Force: force, Nodes: names})
		}),
	}
	f := c.Flags()
	f.StringVar(&filter, "filter", "", filterHelp+`'labels.rack == "r7"'`)
	f.BoolVar(&yes, "yes", false, "do not ask before moving what -filter selects")
	if m.force != "" {
		f.BoolVar(&force, "force", false, m.force)
	}
	return c
}

// chosen is nodes by their names. The API does not tell resuming from letting in again; who says resume means the former.
func (p *Program) chosen(ctx context.Context, api *httpd.Client, m *move, args []string) ([]string, error) {
	refs, err := nodeRefs(args)
	if err != nil || m.only == "" {
		return args, err
	}
	for _, ref := range refs {
		n, _, err := api.Node(ctx, ref, httpd.Read{})
		if err != nil {
			return nil, err
		}
		if n.Lifecycle != m.only && n.Lifecycle != m.to {
			return nil, fmt.Errorf("no node was moved: %s is %s, not in %s", ref, n.Lifecycle, m.only)
		}
	}
	return args, nil
}

// selected is nodes by a filter, shown.
func (p *Program) selected(ctx context.Context, api *httpd.Client, m *move, filter string) ([]string, error) {
	o := httpd.List{Filter: filter, Limit: pageSize}
	if m.only != "" {
		o.Filter = fmt.Sprintf("(%s) and lifecycle == %q", filter, m.only)
	}
	rows, err := all(ctx, o, api.Nodes)
	if err != nil {
		return nil, err
	}
	if err := nothing(len(rows), "node", o.Filter); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(rows))
	for i := range rows {
		names = append(names, rows[i].Cluster+"/"+rows[i].ID)
	}
	fmt.Fprintf(p.Err, "%s:\n", counted(len(rows), "node matches", "nodes match"))
	if err := p.nodeTable(rows[:min(len(rows), movesShown)]).Write(p.Err, table.Ink{}, "  "); err != nil {
		return nil, err
	}
	if more := len(rows) - movesShown; more > 0 {
		fmt.Fprintf(p.Err, "  and %d more\n", more)
	}
	return names, nil
}

// confirm asks whether to go on, if there is somebody to ask.
func (p *Program) confirm(m *move, nodes int) error {
	if !p.Prompt {
		return fmt.Errorf("nothing was done; add -yes to go on with %s", these(nodes))
	}
	fmt.Fprintf(p.Err, "Go on (%s of %s)? Only \"yes\" does: ", m.verb, these(nodes))
	answer, err := bufio.NewReader(p.In).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" || err != nil {
		return errors.New("nothing was done")
	}
	return nil
}

func these(nodes int) string { return counted(nodes, "node", "nodes") }

// moveAll moves nodes, a batch at a time.
func (p *Program) moveAll(ctx context.Context, api *httpd.Client, t httpd.Transition) error {
	names := t.Nodes
	batches := (len(names) + moveBatch - 1) / moveBatch
	if batches > 1 {
		fmt.Fprintf(p.Err, "%d nodes are moved in %d steps of at most %d.\n", len(names), batches, moveBatch)
	}
	out := httpd.Transitioned{Moved: []string{}}
	for from := 0; from < len(names); from += moveBatch {
		t.Nodes = names[from:min(from+moveBatch, len(names))]
		done, err := api.Transition(ctx, t)
		if err != nil && from > 0 {
			return fmt.Errorf("%s moved, then: %w", counted(len(out.Moved), "node was", "nodes were"), err)
		}
		if err != nil {
			return err
		}
		out.Index = done.Index
		out.Moved = append(out.Moved, done.Moved...)
		if batches > 1 {
			fmt.Fprintf(p.Err, "%d of %d\n", from+len(t.Nodes), len(names))
		}
	}
	if p.json() {
		return p.writeJSON(out)
	}
	word := string(t.To)
	if t.To == fsm.Maintenance {
		word = "in maintenance"
	}
	text := counted(len(out.Moved), "node is", "nodes are") + " " + word + " now"
	if same := len(names) - len(out.Moved); same > 0 {
		text += fmt.Sprintf(", %d already were", same)
	}
	fmt.Fprintln(p.Out, text+".")
	return nil
}
