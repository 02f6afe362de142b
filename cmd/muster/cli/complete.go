package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/bundle"
	httpd "github.com/musterhq/muster/http"
)

// completeWait is how long a shell that completes a name waits for the peer at most. Who gets none in that time types on.
const completeWait = time.Second

// namer asks a peer for names that begin with what was typed, as far as the peer gives them in one page.
type namer func(ctx context.Context, api *httpd.Client, begun string) ([]string, error)

// completes has the shell complete the names of things that a tree of commands takes, which their usage tells: "show NAME" of
// clusters is the name of a cluster. What is no name of a thing is left to the shell, which completes files.
func (p *Program) completes(c *cobra.Command) {
	for _, inner := range c.Commands() {
		p.completes(inner)
	}
	of := map[string]namer{
		"cluster NAME": clusterNames, "discovery NAME": discoveryNames, "node NODE": nodeNames, "muster NAME": memberNames,
		"raft PEER": memberNames,
	}
	_, takes, _ := strings.Cut(c.Use, " ")
	takes, _, _ = strings.Cut(takes, " ") // the first way to say it
	what, many := strings.CutSuffix(strings.Trim(takes, "[]"), "…")
	if c.HasParent() {
		if ask := of[c.Parent().Name()+" "+what]; ask != nil {
			c.ValidArgsFunction = p.names(ask, many)
		}
	}
	p.completesOptions(c)
}

// completesOptions does so for values of options.
func (p *Program) completesOptions(c *cobra.Command) {
	known := map[string]cobra.CompletionFunc{
		"format":     cobra.FixedCompletions([]string{"table", formatJSON}, cobra.ShellCompDirectiveNoFileComp),
		"log-level":  cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp),
		"log-format": cobra.FixedCompletions([]string{"text", formatJSON}, cobra.ShellCompDirectiveNoFileComp),
		"capture":    cobra.FixedCompletions(bundle.Parts, cobra.ShellCompDirectiveNoFileComp),
		"cluster":    p.names(clusterNames, true),
	}
	for name, complete := range known {
		if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
			// It fails for an option that is not there, and for one that was told before.
			_ = c.RegisterFlagCompletionFunc(name, complete)
		}
	}
}

// names completes an argument, or each of many. A peer that cannot be asked completes nothing, and says nothing: the shell would
// write it into the line.
func (p *Program) names(ask namer, many bool) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		api, err := p.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, stop := context.WithTimeout(c.Context(), completeWait)
		defer stop()
		found, err := ask(ctx, api, begun)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found = slices.DeleteFunc(found, func(name string) bool {
			return !strings.HasPrefix(name, begun) || slices.Contains(args, name)
		})
		directive := cobra.ShellCompDirectiveNoFileComp
		if slices.ContainsFunc(found, func(name string) bool { return strings.HasSuffix(name, "/") }) {
			directive |= cobra.ShellCompDirectiveNoSpace // a node's name goes on
		}
		return found, directive
	}
}

// begins asks the peer for what may begin so, of what the asked peer knows: a shell needs no leader. What has a meaning in
// expressions stands for any character.
func begins(field, begun string) httpd.List {
	o := httpd.List{Read: httpd.Read{Stale: true}, Limit: pageSize}
	if begun != "" {
		plain := strings.Map(func(r rune) rune {
			if strings.ContainsRune("\"\\`.*+?()|[]{}^$", r) {
				return '.'
			}
			return r
		}, begun)
		o.Filter = field + ` matches "^` + plain + `"`
	}
	return o
}

func clusterNames(ctx context.Context, api *httpd.Client, begun string) ([]string, error) {
	page, err := api.Clusters(ctx, begins("name", begun))
	return each(page.Rows, func(r httpd.ClusterRow) string { return r.Name }), err
}

func discoveryNames(ctx context.Context, api *httpd.Client, begun string) ([]string, error) {
	page, err := api.Discoveries(ctx, begins("name", begun))
	return each(page.Rows, func(r httpd.DiscoveryRow) string { return r.Name }), err
}

// nodeNames are clusters until one is typed, and then its nodes.
func nodeNames(ctx context.Context, api *httpd.Client, begun string) ([]string, error) {
	cluster, id, whole := strings.Cut(begun, "/")
	if !whole {
		names, err := clusterNames(ctx, api, begun)
		return each(names, func(name string) string { return name + "/" }), err
	}
	page, err := api.ClusterNodes(ctx, cluster, begins("id", id))
	return each(page.Rows, func(r httpd.NodeRow) string { return cluster + "/" + r.ID }), err
}

func memberNames(ctx context.Context, api *httpd.Client, _ string) ([]string, error) {
	members, err := api.Members(ctx)
	return each(members, func(m httpd.Member) string { return m.Name }), err
}

func each[T any](rows []T, name func(T) string) []string {
	out := make([]string, 0, len(rows))
	for i := range rows {
		out = append(out, name(rows[i]))
	}
	return out
}
