package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) node() *cobra.Command {
	c := p.asks(&cobra.Command{
		Use:   "node",
		Short: "See nodes, set what holds for them, let them in and out",
		Long:  "Nodes are named cluster/id.",
		Example: `  muster node list -filter 'reach.value == "unreachable"'
  muster node maintenance orders/orders-1 orders/orders-2
  muster node decommission -filter 'labels.rack == "r7"'`,
	})
	c.AddCommand(p.nodeList(), p.nodeShow(), p.nodeSet(), p.nodeEffective())
	for i := range moves {
		c.AddCommand(p.nodeMove(&moves[i]))
	}
	return c
}

func (p *Program) nodeList() *cobra.Command {
	var filter, cluster string
	c := &cobra.Command{
		Use:   "list",
		Short: "List nodes, unwell ones first",
		Example: `  muster node list -cluster orders
  muster node list -filter 'state.value != "up" and lifecycle == "commissioned"'`,
		Args: exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			ask := api.Nodes
			if cluster != "" {
				ask = func(ctx context.Context, o httpd.List) (httpd.Page[httpd.NodeRow], error) {
					return api.ClusterNodes(ctx, cluster, o)
				}
			}
			rows, err := all(ctx, p.list(filter), ask)
			if err != nil {
				return err
			}
			return p.writeNodes(rows, filter)
		}),
	}
	c.Flags().StringVar(&cluster, "cluster", "", "only those of the cluster of that `NAME`")
	c.Flags().StringVar(&filter, "filter", "", filterHelp+`'presence == "missing"'`)
	return c
}

func (p *Program) writeNodes(rows []httpd.NodeRow, filter string) error {
	if p.json() {
		if err := p.writeJSON(rows); err != nil {
			return err
		}
		return nothing(len(rows), "node", filter)
	}
	if len(rows) == 0 && filter == "" {
		fmt.Fprintln(p.Out, "There are no nodes yet. Say where clusters are listed: muster discovery apply FILE")
		return nil
	}
	if len(rows) == 0 {
		return nothing(0, "node", filter)
	}
	slices.SortStableFunc(rows, func(a, b httpd.NodeRow) int {
		return cmp.Or(cmp.Compare(urgency(&a), urgency(&b)), strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.ID, b.ID))
	})
	return p.write(p.nodeTable(rows))
}

func (p *Program) nodeTable(rows []httpd.NodeRow) *table.Table {
	t := table.New("Node", "State", "Reach", "Role", "Lag", "Store", "Address", "Seen", "Marks")
	for i := range rows {
		n := &rows[i]
		t.Row(n.Cluster+"/"+n.ID, p.state(n), p.reach(n), roles(n.Shards), lag(n.Shards),
			dash(strings.TrimSpace(n.Kind+" "+n.Version)), hostPort(n.Address, n.Port), p.ago(n.ObservedAt), marks(n))
	}
	return t
}

func (p *Program) nodeShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NODE…",
		Short:   "Show all about nodes",
		Example: "  muster node show orders/orders-1",
		Args:    someArgs,
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
			refs, err := nodeRefs(args)
			if err != nil {
				return err
			}
			rows := make([]httpd.NodeRow, 0, len(refs))
			for _, ref := range refs {
				n, _, err := api.Node(ctx, ref, p.read())
				if err != nil {
					return err
				}
				rows = append(rows, n)
			}
			if p.json() && len(rows) == 1 {
				return p.writeJSON(rows[0])
			}
			if p.json() {
				return p.writeJSON(rows)
			}
			for i := range rows {
				if i > 0 {
					fmt.Fprintln(p.Out)
				}
				if err := p.writeNode(&rows[i]); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

// nodeRefs reads nodes written cluster/id.
func nodeRefs(args []string) ([]fsm.NodeRef, error) {
	refs := make([]fsm.NodeRef, 0, len(args))
	for _, arg := range args {
		ref, err := fsm.ParseNodeRef("node", arg)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

func (p *Program) writeNode(n *httpd.NodeRow) error {
	listed := make([]string, 0, len(n.Sources))
	for _, s := range n.Sources {
		text := s.Discovery
		if s.AbsentSince != 0 {
			text += fmt.Sprintf(" (absent for %s, %d reads)", p.ago(s.AbsentSince), s.AbsentReads)
		}
		listed = append(listed, text)
	}
	state := p.axisAtLength(n.State, fsm.StateUp)
	if lastWord(n) && n.State.Value != "" {
		state = table.Cell{Text: state.Text + "; its last word", Mood: table.Dim}
	}
	p.writeFacts([]fact{
		plain("Node", n.Cluster+"/"+n.ID),
		{"State", state},
		{"Reach", p.axisAtLength(n.Reach, fsm.Reachable)},
		plain("Lifecycle", string(n.Lifecycle)), plain("Presence", string(n.Presence)),
		{"Marks", marks(n)},
		plain("Address", hostPort(n.Address, n.Port)), plain("Prober", n.Probe),
		plain("Listed by", strings.Join(listed, ", ")), plain("Store", strings.TrimSpace(n.Kind+" "+n.Version)),
		plain("Sidecar", n.SidecarVersion), plain("Says it is", identity(n.Identity)), plain("Seen", p.seen(n)),
		plain("Group", n.Group), plain("Labels", labelsOf(n)), plain("Vars", vars(n.Vars)),
		plain("Attributes", labels(n.Attributes)), plain("Muted", strings.Join(n.Muted, ", ")),
	})
	if len(n.Shards) == 0 {
		return nil
	}
	fmt.Fprintln(p.Out)
	t := table.New("Shard", "Role", "Lag", "Offset")
	for i := range n.Shards {
		s := &n.Shards[i]
		offset := "-"
		if s.Offset != nil {
			offset = strings.TrimSpace(fmt.Sprintf("%d %s", s.Offset.Value, s.Offset.Unit))
		}
		t.Row(s.ID, s.Role, lag(n.Shards[i:i+1]), offset)
	}
	return p.write(t)
}

// axisAtLength is a word with all that is known of it.
func (p *Program) axisAtLength(a fsm.Axis, good string) table.Cell {
	if a.Value == "" {
		return table.Cell{Text: "not known yet", Mood: table.Dim}
	}
	c := table.Cell{Text: a.Value, Mood: table.Bad}
	if a.Value == good {
		c.Mood = table.Good
	}
	if a.Since != 0 {
		c.Text += " for " + p.ago(a.Since)
	}
	c.Text = because(c.Text, a.Reason, a.Detail)
	return c
}

// labelsOf is a node's labels, with which of them an operator set.
func labelsOf(n *httpd.NodeRow) string {
	var own []string
	for _, k := range slices.Sorted(maps.Keys(n.LabelSources)) {
		if n.LabelSources[k] == "operator" {
			own = append(own, k)
		}
	}
	text := labels(n.Labels)
	if len(own) > 0 {
		text += " (set by an operator: " + strings.Join(own, ", ") + ")"
	}
	return text
}

func identity(i fsm.Identity) string {
	if i == (fsm.Identity{}) {
		return ""
	}
	text := i.Cluster + "/" + i.Node
	if i.Mismatch {
		text = fmt.Sprintf("%s/%s, which is not %s", i.SaysCluster, i.SaysNode, text)
	}
	return text
}

func (p *Program) seen(n *httpd.NodeRow) string {
	if n.ObservedAt == 0 {
		return "never yet"
	}
	text := p.ago(n.ObservedAt) + " ago"
	if n.Failures > 0 {
		text += fmt.Sprintf(", %d failed polls since", n.Failures)
	}
	return text
}

func (p *Program) nodeSet() *cobra.Command {
	var w word
	c := &cobra.Command{
		Use:   "set NODE",
		Short: "Set a node's group, labels and vars",
		Long: `Sets what holds for a node, over what its discovery and cluster say. What is not named stays as it is,
and an empty value unsets. A node on which something is set is never removed by itself.`,
		Example: `  muster node set orders/orders-1 -label rack=r7 -group canary
  muster node set orders/orders-1 -label rack= -group ''`,
		Args: exactly(1),
	}
	c.RunE = p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
		refs, err := nodeRefs(args)
		if err != nil {
			return err
		}
		patch, cas, err := w.patch(c)
		if err != nil {
			return err
		}
		ack, err := api.PatchNode(ctx, refs[0], patch, cas)
		if err != nil {
			return err
		}
		return p.tellSet("Node "+args[0], ack)
	})
	w.flags(c)
	return c
}
