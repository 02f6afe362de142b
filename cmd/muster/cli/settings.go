package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) settings() *cobra.Command {
	c := p.asks(&cobra.Command{
		Use:     "settings",
		Short:   "See and set what holds for the whole group",
		Example: "  muster settings show\n  muster settings set -retention-age 1440h -voters 3",
	})
	c.AddCommand(p.settingsShow(), p.settingsSet())
	return c
}

func (p *Program) settingsShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Show the group's settings",
		Example: "  muster settings show",
		Args:    exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			s, _, err := api.Settings(ctx, p.read())
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(s)
			}
			p.writeSettings(&s)
			return nil
		}),
	}
}

func (p *Program) writeSettings(s *fsm.Settings) {
	r := s.Retention
	dead, paused := "stay until they are removed: muster force-leave", table.Cell{Text: "no"}
	if after := s.DeadPeers.RemoveAfter; after > 0 {
		dead = fmt.Sprintf("are removed after %s, where enough voters are left", after)
	}
	if s.Pause != nil {
		paused = table.Cell{Text: p.pauseText(s.Pause), Mood: table.Warn}
	}
	p.writeFacts([]fact{
		plain("Voters", fmt.Sprintf("%d at most; other peers stand by", s.Voters)),
		plain("Events", fmt.Sprintf("kept until there are %d, they are %s old or take %d MiB", r.Events, r.Age, r.Bytes>>20)),
		plain("Operators", fmt.Sprintf("their acts are kept until there are %d", r.Audit)),
		plain("In flight", fmt.Sprintf("%d polls at once per peer", s.Limits.InFlight)),
		plain("Dead peers", dead),
		{"Paused", paused},
		plain("Group", s.Group), plain("Labels", labels(s.Labels)), plain("Guards", guards(s.Guards)),
		plain("Vars", dash(vars(s.Vars))),
	})
}

// given is what options say of the group's settings.
type given struct {
	fsm.Settings
	age, dead            string
	vars, labels, guards []string
	cas                  uint64
}

func (g *given) flags(c *cobra.Command) {
	f := c.Flags()
	f.IntVar(&g.Voters, "voters", 0, "`N` peers vote at most: 1, 3, 5, 7 or 9")
	f.IntVar(&g.Retention.Events, "retention-events", 0, "keep the last `N` events")
	f.StringVar(&g.age, "retention-age", "", "keep events for a `TIME`, like 720h")
	f.Int64Var(&g.Retention.Bytes, "retention-bytes", 0, "keep events up to so many `BYTES`")
	f.IntVar(&g.Retention.Audit, "retention-operators", 0, "keep the last `N` events that operators caused")
	f.IntVar(&g.Limits.InFlight, "in-flight", 0, "`N` polls at once per peer")
	f.StringVar(&g.dead, "dead-peers-remove-after", "", "remove peers that have failed for a `TIME`, like 72h, as far as the voters left allow; 0s for never")
	f.StringArrayVar(&g.vars, "var", nil, "`KEY=JSON` of a variable; KEY= unsets it; what is no JSON is text; may be repeated")
	f.StringVar(&g.Group, "group", "", "`NAME` of the group of every node that is set into no other; empty for none")
	f.StringArrayVar(&g.labels, "label", nil, "`KEY=VALUE` of a label of all; KEY= unsets it; may be repeated")
	f.StringArrayVar(&g.guards, "guard", nil, guardHelp)
	f.Uint64Var(&g.cas, "cas", 0, "only if the settings are still at this `INDEX`")
}

// over lays what was given over the settings as they are, and says whether anything was.
func (g *given) over(c *cobra.Command, now *fsm.Settings) (changed bool, err error) {
	for option, set := range map[string]func() error{
		"voters":              func() error { now.Voters = g.Voters; return nil },
		"retention-events":    func() error { now.Retention.Events = g.Retention.Events; return nil },
		"retention-age":       func() error { return now.Retention.Age.UnmarshalText([]byte(g.age)) },
		"retention-bytes":     func() error { now.Retention.Bytes = g.Retention.Bytes; return nil },
		"retention-operators": func() error { now.Retention.Audit = g.Retention.Audit; return nil },
		"in-flight":           func() error { now.Limits.InFlight = g.Limits.InFlight; return nil },
		"dead-peers-remove-after": func() error {
			if err := now.DeadPeers.RemoveAfter.UnmarshalText([]byte(g.dead)); err != nil {
				return fmt.Errorf("-dead-peers-remove-after: %w", err)
			}
			return nil
		},
		"var":   func() error { return layVars(&now.Vars, g.vars) },
		"group": func() error { now.Group = g.Group; return nil },
		"label": func() error { return layLabels(&now.Labels, g.labels) },
		"guard": func() (err error) { now.Guards, err = parseGuards(g.guards); return err },
	} {
		if c.Flags().Changed(option) {
			changed = true
			err = errors.Join(err, set())
		}
	}
	return changed, err
}

func (p *Program) settingsSet() *cobra.Command {
	var g given
	c := &cobra.Command{
		Use:   "set",
		Short: "Set what holds for the whole group",
		Long: `Sets what holds for the whole group. What is not named stays as it is, and an empty value unsets. Group, labels,
vars and guards hold for every cluster and node that has no nearer ones; muster cluster effective shows which hold.`,
		Example: `  muster settings set -voters 3
  muster settings set -retention-events 500000 -retention-age 1440h
  muster settings set -dead-peers-remove-after 72h
  muster settings set -var 'team="storage"' -guard max_maintenance=1`,
		Args: exactly(0),
	}
	c.RunE = p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
		now, _, err := api.Settings(ctx, httpd.Read{})
		if err != nil {
			return err
		}
		if !c.Flags().Changed("cas") {
			g.cas = now.Index // what others set meanwhile is not undone
		}
		changed, err := g.over(c, &now)
		switch {
		case err != nil:
			return err
		case !changed:
			return fmt.Errorf("say what to set; see %s -help", c.CommandPath())
		}
		ack, err := api.PutSettings(ctx, now, &g.cas)
		if err != nil {
			return err
		}
		return p.tellSet("The group", ack)
	})
	g.flags(c)
	return c
}

// layLabels sets labels over those there are.
func layLabels(over *map[string]string, given []string) error {
	set, err := pairs("label", given)
	if err != nil {
		return err
	}
	all := maps.Clone(*over)
	for key, value := range set {
		if value == "" {
			delete(all, key)
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[key] = value
	}
	*over = all
	return nil
}

// layVars sets variables over those there are.
func layVars(over *fsm.JSON, given []string) error {
	set, err := pairs("var", given)
	if err != nil {
		return err
	}
	all := map[string]any{}
	if *over != "" {
		if err := json.Unmarshal([]byte(*over), &all); err != nil {
			return err
		}
	}
	for key, value := range set {
		if value == "" {
			delete(all, key)
			continue
		}
		all[key] = jsonOrText(value)
	}
	raw, err := json.Marshal(all)
	*over = fsm.JSON(raw)
	return err
}
