package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// TestThen asks every peer, by the commands, what was and what holds: how the work went, how a cluster was before it was
// changed, and from which of the places where a key is set its value comes.
func TestThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.fleet(2, 3)
	g := w.group()
	path := w.listed(f, func(node string) object { return object{"tier": "record", "of": node} })
	w.applyHCL(g.Peers[1], path, true)
	w.allHealthy(g.Peers[0], f.clusters)
	name := f.cluster(0)

	then, seq := w.momentOf(g.Peers[0], name)
	w.changeAll(g, f)
	w.still(map[*rig.Peer]*stream{g.Peers[0]: w.follow(g.Peers[0])})
	w.wasThen(g, then, seq)
	w.notYetThere(g, name, seq)
	w.remembers(g, path, name)
	w.layers(g, f)
}

// applyHCL applies the discovery "then" by the command.
func (w *world) applyHCL(p *rig.Peer, list string, enabled bool) {
	w.Helper()
	setting := filepath.Join(w.rig.Dir, "then.hcl")
	w.must(os.WriteFile(setting, fmt.Appendf(nil, `
discovery "then" {
  backend  = "file"
  config   = { files = [%q] }
  interval = "1s"
  enabled  = %t
  group    = "found"
  labels   = { tier = "discovery", site = "us" }
  vars     = { limit = 1, runbook = "https://wiki.example" }
  guards   = [{ min_commissioned = 1 }]
  refresh {
    interval = "1s"
    timeout  = "500ms"
  }
}
`, list, enabled), 0o600))
	w.succeeds("discovery", "apply", setting, at(p.HTTP))
}

// onEach runs a command against every peer's own replica, once it has what the leader has; all must say the same, which is
// returned.
func (w *world) onEach(g *rig.Group, args ...string) string {
	w.Helper()
	self, err := w.leader(g).API.Self(w.soon())
	w.must(err)
	said := ""
	for i, p := range g.Peers {
		w.until(p.Name+" to have what the leader has", func(ctx context.Context) error {
			mine, err := p.API.Self(ctx)
			if err == nil && mine.AppliedIndex < self.AppliedIndex {
				err = fmt.Errorf("it is at %d, the leader at %d", mine.AppliedIndex, self.AppliedIndex)
			}
			return err
		})
		got := w.succeeds(append(args, "-stale", at(p.HTTP))...)
		if i > 0 && got != said {
			w.Errorf("muster %q (-%s, +%s):\n%s", args, g.Peers[0].Name, p.Name, cmp.Diff(said, got))
		}
		said = got
	}
	return said
}

// momentOf is a cluster, and the last event when it was read.
func (w *world) momentOf(p *rig.Peer, name string) (httpd.ClusterDetail, string) {
	w.Helper()
	var c httpd.ClusterDetail
	cursor := ""
	w.until("a moment without events", func(context.Context) error {
		cursor = w.lastCursor(p)
		w.must(json.Unmarshal([]byte(w.succeeds("cluster", "show", name, "-format=json", at(p.HTTP))), &c))
		if after := w.lastCursor(p); after != cursor {
			return fmt.Errorf("there were events from %s to %s", cursor, after)
		}
		return nil
	})
	_, seq, _ := strings.Cut(cursor, ":")
	return c, seq
}

// changeAll changes what can be changed about the first cluster: by operators, by its nodes, and by its source.
func (w *world) changeAll(g *rig.Group, f *fleet) {
	w.Helper()
	name, api, events := f.cluster(0), at(g.Peers[2].HTTP), w.follow(g.Peers[2])
	node := func(i int) string { return name + "/" + f.node(0, i) }
	w.succeeds("settings", "set", "-group", "all", "-label", "tier=globals", "-label", "site=eu", "-var", "limit=0",
		"-var", "team=storage", api)
	w.succeeds("cluster", "set", name, "-group", "night", "-label", "tier=cluster", "-var", "limit=2",
		"-guard", "max_maintenance=2", api)
	w.succeeds("node", "set", node(0), "-group", "blue", "-label", "tier=node", "-var", "limit=3", api)
	w.succeeds("node", "maintenance", node(1), api)
	w.act(f, "failover", name, "")
	w.act(f, "stop", name, f.node(0, 2))
	w.await(events, 0, want{fsm.NodeUnreachable, name, f.node(0, 2)})
	w.await(events, 0, want{fsm.ShardPrimaryChanged, name, ""})
}

// wasThen compares what each peer says was with what was read then.
func (w *world) wasThen(g *rig.Group, then httpd.ClusterDetail, seq string) {
	w.Helper()
	var was httpd.ClusterDetail
	w.must(json.Unmarshal([]byte(w.onEach(g, "cluster", "show", then.Name, "-at", seq, "-format=json")), &was))
	if _, at, _ := strings.Cut(was.At.Cursor, ":"); at != seq || was.At.Time == 0 {
		w.Errorf("the view as of %s says it is of %+v", seq, was.At)
	}
	if diff := cmp.Diff(then, was, cmpopts.EquateEmpty(), // what no event tells
		cmpopts.IgnoreFields(httpd.ClusterRow{}, "RefreshedAt", "NextRefresh", "Overdue", "Index"),
		cmpopts.IgnoreFields(httpd.ClusterDetail{}, "LastRefresh", "At"),
		cmpopts.IgnoreFields(httpd.NodeRow{}, "ObservedAt", "Failures", "Index"),
	); diff != "" {
		w.Errorf("cluster %s as it was read (-), and as the peers say it was (+):\n%s", then.Name, diff)
	}
	now, _, err := g.Peers[0].API.Cluster(w.soon(), then.Name, httpd.Read{})
	w.must(err)
	for what, same := range map[string]bool{
		"group": now.Group == was.Group, "health": now.Health == was.Health,
		"primary":   now.Shards[0].Primary == was.Shards[0].Primary,
		"lifecycle": now.Nodes[1].Lifecycle == was.Nodes[1].Lifecycle, "reach": now.Nodes[2].Reach == was.Nodes[2].Reach,
	} {
		if same {
			w.Errorf("the %s has not changed since, so that this proves nothing", what)
		}
	}
}

// notYetThere asks for moments that cannot be shown.
func (w *world) notYetThere(g *rig.Group, name, seq string) {
	w.Helper()
	for at, code := range map[string]int{
		"0": http.StatusNotFound, seq + "000": http.StatusBadRequest, "OTHER:" + seq: http.StatusGone,
	} {
		_, _, err := g.Peers[1].API.ClusterAt(w.soon(), name, at, httpd.Read{})
		var refused *httpd.StatusError
		if !errors.As(err, &refused) || refused.Status != code {
			w.Errorf("as of %s: %v, want %d", at, err, code)
		}
	}
}

// remembers asks for work, lets all of it end, and looks whether every peer remembers it alike.
func (w *world) remembers(g *rig.Group, list, name string) {
	w.Helper()
	p := g.Peers[0]
	w.until(name+" to be refreshed when asked", func(context.Context) error {
		return ended(w.muster("cluster", "refresh", name, at(p.HTTP)))
	})
	w.until("the discovery to run when asked", func(context.Context) error {
		return ended(w.muster("discovery", "run", "then", at(p.HTTP)))
	})
	w.succeeds("cluster", "set", name, "-refresh", "enabled=false", at(p.HTTP))
	w.applyHCL(p, list, false)
	w.until("all work to end", func(ctx context.Context) error {
		claims, err := p.API.Claims(ctx, httpd.List{})
		for _, c := range claims.Rows {
			if c.Subject.Name == name || c.Subject.Name == "then" {
				err = fmt.Errorf("%s %s is claimed", c.Subject.Kind, c.Subject.Name)
			}
		}
		return err
	})
	for _, verb := range [][]string{{"cluster", "history", name}, {"discovery", "history", "then"}} {
		var past []fsm.Work
		w.must(json.Unmarshal([]byte(w.onEach(g, append(verb, "-format=json")...)), &past))
		why := map[string]int{}
		for _, k := range past {
			why[k.Reason]++
		}
		if len(past) < 3 || len(past) > fsm.MaxPast || why[fsm.WhyAsked] == 0 || why[fsm.WhyDue] == 0 {
			w.Errorf("muster %q remembers %+v", verb, past)
		}
		for i, k := range past {
			if k.Outcome == "" || !strings.HasPrefix(k.Peer, "peer-") || i > 0 && k.At > past[i-1].At {
				w.Errorf("muster %q: number %d is %+v", verb, i, k)
			}
		}
		table := w.succeeds(append(verb, at(p.HTTP))...)
		if strings.Count(table, "\n") != len(past)+1 || !strings.Contains(table, fsm.WhyAsked) {
			w.Errorf("muster %q shows %d as:\n%s", verb, len(past), table)
		}
	}
}

// ended is how a command went that is refused while other work on the same is under way.
func ended(got result) error {
	if got.code != 0 {
		return errors.New(got.stderr)
	}
	return nil
}

// layers looks at what holds for the first node, for the cluster, and for the node again when less is set on it.
func (w *world) layers(g *rig.Group, f *fleet) {
	w.Helper()
	node := f.cluster(0) + "/" + f.node(0, 0)
	read := func(args ...string) httpd.Effective {
		var e httpd.Effective
		w.must(json.Unmarshal([]byte(w.onEach(g, append(args, "-format=json")...)), &e))
		return e
	}
	globals := func(v any) httpd.Hidden { return httpd.Hidden{Value: v, From: "globals"} }
	found := func(v any) httpd.Hidden { return httpd.Hidden{Value: v, From: "discovery then"} }
	cluster := func(v any) httpd.Hidden { return httpd.Hidden{Value: v, From: "cluster"} }
	record := httpd.Hidden{Value: "record", From: "record of then"}

	e := read("node", "effective", node)
	e.Refresh = nil
	if diff := cmp.Diff(httpd.Effective{
		Cluster: f.cluster(0), Node: f.node(0, 0),
		Group: &httpd.EffectiveKey{
			Value: "blue", From: "node", Over: []httpd.Hidden{cluster("night"), found("found"), globals("all")},
		},
		Labels: map[string]*httpd.EffectiveKey{
			"tier": {
				Value: "node", From: "node", Over: []httpd.Hidden{cluster("cluster"), record, found("discovery"), globals("globals")},
			},
			"site": {Value: "us", From: "discovery then", Over: []httpd.Hidden{globals("eu")}},
			"of":   {Value: f.node(0, 0), From: "record of then"},
		},
		Vars: map[string]*httpd.EffectiveKey{
			"limit":   {Value: 3., From: "node", Over: []httpd.Hidden{cluster(2.), found(1.), globals(0.)}},
			"runbook": {Value: "https://wiki.example", From: "discovery then"},
			"team":    {Value: "storage", From: "globals"},
		},
	}, e); diff != "" {
		w.Errorf("what holds for %s (-wanted, +shown):\n%s", node, diff)
	}
	table := w.onEach(g, "node", "effective", node)
	for _, words := range []string{
		"Hides", "night of cluster, found of discovery then, all of globals", "record of record of then", "eu of globals",
	} {
		if !strings.Contains(table, words) {
			w.Errorf("node effective does not show %q:\n%s", words, table)
		}
	}

	w.succeeds("node", "set", node, "-group", "", "-label", "tier=", "-var", "limit=", at(g.Peers[1].HTTP))
	w.succeeds("cluster", "set", f.cluster(0), "-label", "tier=", at(g.Peers[1].HTTP))
	e = read("node", "effective", node)
	if e.Group.Value != "night" || e.Labels["tier"].From != record.From || e.Vars["limit"].From != "cluster" {
		w.Errorf("with less set the group is %+v, the tier %+v, the limit %+v", e.Group, e.Labels["tier"], e.Vars["limit"])
	}
	c := read("cluster", "effective", f.cluster(0))
	if c.Guards == nil || c.Guards.From != "cluster" || len(c.Guards.Over) != 1 || c.Refresh["enabled"].From != "cluster" ||
		c.Labels["tier"].From != found("").From || c.Labels["of"] != nil {
		w.Errorf("for the cluster hold guards %+v, refresh %+v, labels %+v", c.Guards, c.Refresh["enabled"], c.Labels)
	}
}
