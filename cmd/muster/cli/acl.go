package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) acl() *cobra.Command {
	token := &cobra.Command{
		Use:   "token",
		Short: "Make, list and take away tokens",
		Example: "  muster acl token create -role read -description prometheus\n  muster acl token list\n" +
			"  muster acl token delete 01KB7M4N0Q8Z",
	}
	token.AddCommand(p.tokenCreate(), p.tokenList(), p.tokenShow(), p.tokenDelete())
	c := p.asks(&cobra.Command{
		Use:   "acl",
		Short: "Say who may do what, by tokens",
		Long: `Where all peers run with -acl, whoever asks shows a token. A token has roles:

  read      look at everything but tokens
  operate   read; run discoveries and refreshes now, release what is held back, commission nodes, put them
            into maintenance, decommission and forget them
  manage    operate; change discoveries, settings of clusters, nodes and the group, peers, tokens; restore backups
  snapshot  save backups, which hold everything

muster takes the token from -token-file, -token, MUSTER_HTTP_TOKEN_FILE or MUSTER_HTTP_TOKEN.`,
		Example: "  muster acl bootstrap -data-dir /var/lib/muster\n  muster acl token create -role operate -description 'night shift' -ttl 12h",
	})
	c.AddCommand(p.aclBootstrap(), token)
	return c
}

func (p *Program) aclBootstrap() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make the group's first token",
		Long: `Makes the first token of a group, once. It has the roles manage and snapshot, never expires, and makes all others.

Run it on the machine of the peer that is asked, as the peer's user or as root: that -data-dir is yours to write to is
what stands for the token you do not have yet. A peer that keeps nothing (-dev) is asked without it.`,
		Example: "  muster acl bootstrap -data-dir /var/lib/muster\n  muster acl bootstrap -data-dir /var/lib/muster -format=json",
		Args:    exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			return p.makeFirst(ctx, api, dir, 0)
		}),
	}
	c.Flags().StringVar(&dir, "data-dir", "", "`DIR` where the asked peer keeps its log")
	return c
}

func (p *Program) aclReset() *cobra.Command {
	var dir string
	var index uint64
	c := &cobra.Command{
		Use:   "acl-reset",
		Short: "Make a first token once more, where nobody has a token to manage with",
		Long: `Makes one more token with the roles manage and snapshot, where every token with the role manage is lost. The others
stay as they are; delete those that may be in wrong hands.

Like muster acl bootstrap it is run on the machine of the peer that is asked, and it works while the group has a leader. -index
is where the first token was last made, as muster acl bootstrap says when it refuses to make another one: it is good once.`,
		Example: "  muster operator acl-reset -data-dir /var/lib/muster -index 17",
		Args:    exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			if index == 0 {
				return fmt.Errorf("no -index: muster acl bootstrap -data-dir %s says which", dash(dir))
			}
			return p.makeFirst(ctx, api, dir, index)
		}),
	}
	c.Flags().StringVar(&dir, "data-dir", "", "`DIR` where the asked peer keeps its log")
	c.Flags().Uint64Var(&index, "index", 0, "`INDEX` at which the first token was last made")
	return c
}

// makeFirst makes a first token with a proof laid into the data directory of the peer.
func (p *Program) makeFirst(ctx context.Context, api *httpd.Client, dir string, index uint64) error {
	ask := httpd.Bootstrap{Index: index}
	if dir != "" {
		proof, takeAway, err := datadir.LayProof(dir)
		if err != nil {
			return fmt.Errorf("-data-dir: %w", err)
		}
		defer takeAway()
		ask.Proof = proof
	}
	made, err := api.Bootstrap(ctx, ask)
	if err != nil {
		return err
	}
	return p.tellMade(made)
}

func (p *Program) tokenCreate() *cobra.Command {
	var roles []string
	var ttl string
	var wanted httpd.NewToken
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a token",
		Long: `Makes a token and shows its secret, this once: nobody can look it up later. The accessor is the token's name: events
say which token did what, and by it a token is taken away.`,
		Example: "  muster acl token create -role read -description prometheus\n" +
			"  muster acl token create -role read -role snapshot -description 'nightly backup'\n" +
			"  muster acl token create -role operate -description 'night shift' -ttl 12h -format=json",
		Args: exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			for _, r := range roles {
				wanted.Roles = append(wanted.Roles, fsm.Right(r))
			}
			if ttl != "" {
				if err := wanted.TTL.UnmarshalText([]byte(ttl)); err != nil {
					return fmt.Errorf("-ttl %w", err)
				}
			}
			made, err := api.CreateToken(ctx, wanted)
			if err != nil {
				return err
			}
			return p.tellMade(made)
		}),
	}
	c.Flags().StringArrayVar(&roles, "role", nil, "`ROLE` it has: read, operate, manage or snapshot; may be repeated")
	c.Flags().StringVar(&wanted.Description, "description", "", "`TEXT` that says whose it is, or what for")
	c.Flags().StringVar(&ttl, "ttl", "", "`SPAN` after which it expires, such as 12h (default never)")
	return c
}

// tellMade shows a new token with its secret.
func (p *Program) tellMade(made httpd.TokenMade) error {
	if p.json() {
		return p.writeJSON(made)
	}
	p.writeFacts(append(p.tokenFacts(&made.TokenRow), plain("Secret", made.Secret)))
	fmt.Fprintln(p.Out, "\nThe secret is shown this once and kept nowhere. Use it with -token-file or "+envToken+".")
	return nil
}

func (p *Program) tokenFacts(t *httpd.TokenRow) []fact {
	return []fact{
		plain("Accessor", t.Accessor), plain("Roles", rights(t.Roles)), plain("Description", t.Description),
		plain("Created", stamp(t.Created)), plain("Expires", p.expiry(t).Text),
	}
}

// stamp is a time, empty for none.
func stamp(t fsm.Time) string {
	if t == 0 {
		return ""
	}
	return t.String()
}

func (p *Program) tokenList() *cobra.Command {
	var filter string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens, without their secrets",
		Example: "  muster acl token list\n  muster acl token list -filter '\"manage\" in roles'",
		Args:    exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			rows, err := all(ctx, p.list(filter), api.Tokens)
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(rows)
			}
			t := table.New("Accessor", "Roles", "Description", "Age", "Expires")
			for _, row := range rows {
				t.Row(row.Accessor, rights(row.Roles), dash(row.Description), p.ago(row.Created), p.expiry(&row))
			}
			return p.write(t)
		}),
	}
	c.Flags().StringVar(&filter, "filter", "", "`EXPRESSION` over the rows, as the API takes it")
	return c
}

// expiry is when a token expires.
func (p *Program) expiry(t *httpd.TokenRow) table.Cell {
	switch {
	case t.Expires == 0:
		return table.Cell{Text: "never"}
	case p.since(t.Expires) >= 0:
		return table.Cell{Text: "expired", Mood: table.Bad}
	}
	return table.Cell{Text: "in " + p.ahead(t.Expires)}
}

func rights(of []fsm.Right) string {
	names := make([]string, 0, len(of))
	for _, r := range of {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func (p *Program) tokenShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show [ACCESSOR]",
		Short:   "Show a token without its secret, or the one that is used now",
		Example: "  muster acl token show\n  muster acl token show 01KB7M4N0Q8Z",
		Args:    atMostOne,
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
			accessor := "self"
			if len(args) == 1 {
				accessor = args[0]
			}
			row, _, err := api.Token(ctx, accessor, p.read())
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(row)
			}
			p.writeFacts(p.tokenFacts(&row))
			return nil
		}),
	}
}

func (p *Program) tokenDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete ACCESSOR…",
		Short: "Take tokens away",
		Long: `Takes tokens away. They are refused from then on, and what they hold open (event follow, waiting reads) ends. The token that
is used now cannot be one of them.`,
		Example: "  muster acl token delete 01KB7M4N0Q8Z",
		Args:    someArgs,
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			acks := []httpd.Ack{}
			for _, accessor := range args {
				ack, err := api.DeleteToken(ctx, accessor)
				if err != nil {
					return err
				}
				acks = append(acks, ack)
				if ack.Changed {
					p.say("%s is taken away.", table.Clean(accessor))
				} else {
					p.say("There is no token %s.", table.Clean(accessor))
				}
			}
			return p.andJSON(acks)
		}),
	}
}
