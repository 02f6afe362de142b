package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// prometheus is the real one.
type prometheus struct{ addr string }

// ask asks its API.
func (p prometheus) ask(ctx context.Context, path string, query url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/api/v1/"+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return errors.New(answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// targets are those of a job, with the labels that muster gave them, sorted.
func (p prometheus) targets(ctx context.Context, job string) ([]string, error) {
	var found struct {
		ActiveTargets []struct {
			Labels     map[string]string
			ScrapePool string
		}
	}
	if err := p.ask(ctx, "targets", url.Values{"state": {"active"}}, &found); err != nil {
		return nil, err
	}
	out := []string{}
	for _, t := range found.ActiveTargets {
		if t.ScrapePool == job {
			l := t.Labels
			out = append(out, strings.Join([]string{l["instance"], l["cluster"], l["node"], l["role"], l["health"]}, " "))
		}
	}
	slices.Sort(out)
	return out, nil
}

// values is how many values an expression has now.
func (p prometheus) values(ctx context.Context, expr string) (int, error) {
	var found struct{ Result []json.RawMessage }
	err := p.ask(ctx, "query", url.Values{"query": {expr}}, &found)
	return len(found.Result), err
}

// list is what a file lists of one cluster.
type list struct {
	Cluster string           `json:"cluster"`
	Nodes   []map[string]any `json:"nodes"`
}

// TestPrometheus has the real Prometheus find the nodes of a fleet through a group, and through a peer that wants a token; a node that
// goes is a target no more. It scrapes the peers, and each panel of the dashboard asks it something that has an answer.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.fleet(3, 2)
	raw, err := os.ReadFile(f.file)
	w.must(err)
	var lists []list
	w.must(json.Unmarshal(raw, &lists))
	spec := f.discovery()
	spec["config"] = object{"files": []string{w.write("list.json", lists)}}
	spec["interval"], spec["missing_after"], spec["remove_after"] = "1s", "0s", "0s"

	g := w.group()
	leader := w.leader(g)
	w.apply(leader, "fleet", spec)
	w.allHealthy(leader, 3)
	closed, token := w.closed(spec)
	credentials := object{"type": "Bearer", "credentials_file": token} // old ones take no type for none in http_sd_configs
	asks := func(p *rig.Peer, authorization object) []object {
		sd := object{"url": "http://" + p.HTTP + "/v1/sd/prometheus", "refresh_interval": "1s"}
		if authorization != nil {
			sd["authorization"] = authorization
		}
		return []object{sd}
	}
	peers := []string{}
	for _, p := range g.Peers {
		peers = append(peers, p.HTTP)
	}
	_, addr, err := w.rig.Prometheus(w.soon(), object{
		"global": object{"scrape_interval": "1s", "scrape_timeout": "1s"},
		"scrape_configs": []object{
			{"job_name": "muster", "static_configs": []object{{"targets": peers}}},
			{"job_name": "nodes", "http_sd_configs": asks(leader, nil)},
			{"job_name": "closed", "http_sd_configs": asks(closed, credentials)},
			{"job_name": "stranger", "http_sd_configs": asks(closed, nil)},
			{"job_name": "closed-peer", "authorization": credentials, "static_configs": []object{{"targets": []string{closed.HTTP}}}},
			{"job_name": "stranger-peer", "static_configs": []object{{"targets": []string{closed.HTTP}}}},
		},
	})
	w.must(err)
	p := prometheus{addr}
	w.targets(p, "nodes", lists)
	w.targets(p, "closed", lists)

	lists[1].Nodes = lists[1].Nodes[:1]
	w.write("list.json", lists)
	w.targets(p, "nodes", lists)
	w.targets(p, "closed", lists)

	w.has(p, `up{job="closed-peer"} == 1`)
	w.has(p, `up{job="stranger-peer"} == 0`)
	if found, err := p.targets(w.soon(), "stranger"); err != nil || len(found) > 0 {
		t.Errorf("without a token Prometheus found %q (%v)", found, err)
	}
	w.dashboard(p)
}

// closed is a peer that wants a token, and a file with one that may read.
func (w *world) closed(spec object) (p *rig.Peer, token string) {
	w.Helper()
	g, p := w.lone("closed")
	w.must(p.Start("-bootstrap-expect", "1", "-acl"))
	w.must(g.Ready(w.soon()))
	var first, reader httpd.TokenMade
	w.until("the first token", func(context.Context) error { // not before the group knows of tokens
		r := w.muster("acl", "bootstrap", "-data-dir", p.Data, at(p.HTTP), "-format=json")
		if r.code != 0 {
			return errors.New(r.stderr)
		}
		return json.Unmarshal([]byte(r.stdout), &first)
	})
	spec["name"] = "fleet"
	defer delete(spec, "name")
	if r := w.muster("discovery", "apply", w.write("discovery.json", spec), "-token", first.Secret, at(p.HTTP)); r.code != 0 {
		w.Fatal(r.stderr)
	}
	made := w.muster("acl", "token", "create", "-role", "read", "-token", first.Secret, at(p.HTTP), "-format=json")
	w.must(json.Unmarshal([]byte(made.stdout), &reader))
	token = filepath.Join(w.rig.Dir, "reader.token")
	w.must(os.WriteFile(token, []byte(reader.Secret), 0o600))
	return p, token
}

// targets waits until a job has exactly the nodes that are listed, all of which are well, as its targets.
func (w *world) targets(p prometheus, job string, lists []list) {
	w.Helper()
	var want []string
	for _, l := range lists {
		for i, n := range l.Nodes {
			role := "replica"
			if i == 0 {
				role = "primary"
			}
			want = append(want, fmt.Sprintf("%v:%v %s %v %s healthy", n["address"], n["port"], l.Cluster, n["id"], role))
		}
	}
	slices.Sort(want)
	w.until("Prometheus to have the targets of "+job, func(ctx context.Context) error {
		got, err := p.targets(ctx, job)
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			err = fmt.Errorf("(-want +got)\n%s", diff)
		}
		return err
	})
}

// has waits until an expression has a value.
func (w *world) has(p prometheus, expr string) {
	w.Helper()
	w.until(expr, func(ctx context.Context) error {
		n, err := p.values(ctx, expr)
		if err == nil && n == 0 {
			err = errors.New("it has no value")
		}
		return err
	})
}

// absent is what has no value here: there are no certificates, no backups were kept, and neither Consul nor a collector is told anything.
var absent = regexp.MustCompile("muster_cert_|muster_agent_backup_|muster_consul_|muster_trace_")

// dashboard asks Prometheus what the panels ask. All of it has an answer, but for what is absent.
func (w *world) dashboard(p prometheus) {
	w.Helper()
	none := []string{}
	raw, err := os.ReadFile("../../docs/prometheus/dashboard.json")
	w.must(err)
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	w.must(json.Unmarshal(raw, &d))
	for _, panel := range d.Panels {
		for _, q := range panel.Targets {
			expr := strings.NewReplacer("$job", "muster", "$__rate_interval", "10s").Replace(q.Expr)
			n, err := p.values(w.soon(), expr)
			if err != nil {
				w.Errorf("%s: %s: %v", panel.Title, expr, err)
			}
			if n == 0 && !absent.MatchString(expr) {
				none = append(none, panel.Title+": "+expr)
			}
		}
	}
	if len(none) > 0 {
		w.Errorf("no answer for\n%s", strings.Join(none, "\n"))
	}
}
