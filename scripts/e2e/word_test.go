package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// said is one thing that an operator says, and how a peer shows it.
type said struct {
	what  string
	say   func(context.Context, *httpd.Client) (httpd.Ack, error)
	shown func(context.Context, *httpd.Client, httpd.Read) (any, error)
	want  any
}

// TestOperatorsWord says all that an operator can say, while a node is down, and looks for it on every peer, and on one that
// lost its disk and finds the log of the others cut.
func TestOperatorsWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.fleet(6+fillers, 3)
	g := w.group()
	leader := w.leader(g)
	w.apply(leader, "fleet", f.discovery())
	w.allHealthy(leader, f.clusters)
	filled := w.outgrowLogs(g, f)
	w.act(f, "stop", f.cluster(3), f.node(3, 1))
	w.reason(g, f.cluster(3), f.node(3, 1), fsm.ReasonRefused)
	word := operatorsWord(f)
	for _, s := range word {
		ack, err := s.say(w.soon(), leader.API)
		w.must(err)
		for _, p := range g.Peers {
			w.shows(p, s, httpd.Read{Stale: true, Index: ack.Index - 1, Wait: patience})
		}
	}

	p := w.follower(g)
	lost := w.lose(p)
	filled()
	w.replaces(g, p, lost)
	if n, err := number(w.soon(), p, "muster_boltstore_entries"); err != nil || n >= cutAfter {
		t.Errorf("the wiped peer has %d entries in its log (%v): it was not sent a snapshot", n, err)
	}
	for _, s := range word {
		w.shows(p, s, httpd.Read{Stale: true})
	}
	w.stillRefused(p, f)
}

// What is said of everything, of the discovery, and of a cluster.
var (
	wordOfAll = fsm.Settable{
		Group: "all", Labels: map[string]string{"site": "eu"}, Vars: `{"team":"storage"}`,
		Guards: []fsm.Guard{{MinCommissioned: 1}, {Group: "blue", MaxMaintenance: 2}},
	}
	wordOfDiscovery = fsm.Settable{
		Group: "found", Labels: map[string]string{"tier": "2"}, Vars: `{"runbook":"https://wiki.example"}`,
		Guards: []fsm.Guard{{MinCommissioned: 1}},
	}
	wordOfCluster = fsm.Settable{
		Group: "night", Labels: map[string]string{"tier": "1"}, Vars: `{"owner":"ops"}`, Guards: []fsm.Guard{{MinWell: 1}},
	}
)

// discoveryWithWord is the fleet's discovery with what is said of it.
func (f *fleet) discoveryWithWord() object {
	spec, of := f.discovery(), wordOfDiscovery
	spec["group"], spec["labels"], spec["vars"], spec["guards"] = of.Group, of.Labels, of.Vars, of.Guards
	return spec
}

// operatorsWord is all that can be said, of all that it can be said of.
func operatorsWord(f *fleet) []said {
	out := []said{{
		what: "the globals", want: wordOfAll,
		say: func(ctx context.Context, api *httpd.Client) (httpd.Ack, error) {
			settings := fsm.DefaultSettings()
			settings.Settable = wordOfAll
			return api.PutSettings(ctx, settings, nil)
		},
		shown: func(ctx context.Context, api *httpd.Client, o httpd.Read) (any, error) {
			s, _, err := api.Settings(ctx, o)
			return s.Settable, err
		},
	}, {
		what: "the discovery", want: wordOfDiscovery,
		say: func(ctx context.Context, api *httpd.Client) (httpd.Ack, error) {
			return api.PutDiscovery(ctx, "fleet", f.discoveryWithWord(), nil)
		},
		shown: func(ctx context.Context, api *httpd.Client, o httpd.Read) (any, error) {
			d, _, err := api.Discovery(ctx, "fleet", o)
			return d.Settable, err
		},
	}, {
		what: "a cluster", want: wordOfCluster,
		say: func(ctx context.Context, api *httpd.Client) (httpd.Ack, error) {
			return api.PatchCluster(ctx, f.cluster(1), wordOfCluster, nil)
		},
		shown: func(ctx context.Context, api *httpd.Client, o httpd.Read) (any, error) {
			c, _, err := api.Cluster(ctx, f.cluster(1), o)
			s := c.Settings
			return fsm.Settable{Group: s.Group, Labels: s.Labels, Vars: s.Vars, Guards: s.Guards}, err
		},
	}}
	set := func(group, zone string, vars fsm.JSON) httpd.NodeSettings {
		return httpd.NodeSettings{Group: group, Labels: map[string]string{"zone": zone}, Vars: vars}
	}
	return append(out,
		ofNode(f, 0, 0, set("blue", "a", `{"limit":3}`)), ofNode(f, 0, 1, set("green", "b", `{"limit":4}`)),
		// One that is down may be set, and moved, like any other.
		ofNode(f, 3, 1, set("blue", "c", `{"since":"dawn"}`)), ofLifecycle(f, 3, fsm.Maintenance, fsm.NotReachable),
		ofLifecycle(f, 2, fsm.Decommissioned, fsm.Reachable), ofLifecycle(f, 4, fsm.Maintenance, fsm.Reachable))
}

func ofNode(f *fleet, cluster, i int, set httpd.NodeSettings) said {
	ref := fsm.NodeRef{Cluster: f.cluster(cluster), Node: f.node(cluster, i)}
	return said{
		what: ref.String(), want: set,
		say: func(ctx context.Context, api *httpd.Client) (httpd.Ack, error) {
			return api.PatchNode(ctx, ref, set, nil)
		},
		shown: func(ctx context.Context, api *httpd.Client, o httpd.Read) (any, error) {
			n, _, err := api.Node(ctx, ref, o)
			return httpd.NodeSettings{Group: n.Group, Labels: n.Labels, Vars: n.Vars}, err
		},
	}
}

// ofLifecycle moves the second node of a cluster, which stays as reachable as it is.
func ofLifecycle(f *fleet, cluster int, to fsm.Lifecycle, reach string) said {
	ref := fsm.NodeRef{Cluster: f.cluster(cluster), Node: f.node(cluster, 1)}
	type standing struct {
		Lifecycle fsm.Lifecycle
		Presence  fsm.Presence
		Reach     string
	}
	return said{
		what: fmt.Sprintf("%s %s", ref, to), want: standing{to, fsm.Present, reach},
		say: func(ctx context.Context, api *httpd.Client) (httpd.Ack, error) {
			moved, err := api.Transition(ctx, httpd.Transition{To: to, Nodes: []string{ref.String()}})
			return httpd.Ack{Index: moved.Index}, err
		},
		shown: func(ctx context.Context, api *httpd.Client, o httpd.Read) (any, error) {
			n, _, err := api.Node(ctx, ref, o)
			return standing{n.Lifecycle, n.Presence, n.Reach.Value}, err
		},
	}
}

// shows fails the test when a peer, read so, does not show what was said.
func (w *world) shows(p *rig.Peer, s said, how httpd.Read) {
	w.Helper()
	got, err := s.shown(w.soon(), p.API, how)
	w.must(err)
	if diff := cmp.Diff(s.want, got); diff != "" {
		w.Errorf("%s on %s (-said, +shown):\n%s", s.what, p.Name, diff)
	}
}

// stillRefused takes the wiped peer at its word: what a guard forbids on the others it forbids there.
func (w *world) stillRefused(p *rig.Peer, f *fleet) {
	w.Helper()
	all := httpd.Transition{To: fsm.Decommissioned}
	for i := range f.nodes {
		all.Nodes = append(all.Nodes, f.cluster(5)+"/"+f.node(5, i))
	}
	_, err := p.API.Transition(w.soon(), all)
	var refused *httpd.StatusError
	if !errors.As(err, &refused) || len(refused.Refusal.Fields) != f.nodes {
		w.Errorf("letting out all nodes of a cluster against the discovery's guard ends with %v", err)
	}
}

const (
	cutAfter      = 4096 // entries that a peer keeps of its log behind a snapshot
	snapshotAfter = 1024 // entries since the last one
	fillers       = 2    // more would share entries, and the log grow no faster
)

// outgrowLogs begins to write, and returns what ends that once every running peer has cut the beginning of its log, which is
// after a snapshot.
func (w *world) outgrowLogs(g *rig.Group, f *fleet) func() {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 4*patience)
	w.Cleanup(cancel)
	start, leader := time.Now(), w.leader(g)
	writers := w.writing(ctx, leader, fillers, func(ctx context.Context, api *httpd.Client, i, n int) error {
		_, err := api.PatchCluster(ctx, f.cluster(6+i), object{"vars": object{"n": n}}, nil)
		return err
	})
	return func() {
		w.Helper()
		var entries uint64
		err := rig.Until(ctx, "the log to grow", func(ctx context.Context) error {
			self, err := leader.API.Self(ctx)
			if entries = self.LastIndex; err == nil && entries <= cutAfter+snapshotAfter {
				err = fmt.Errorf("there are %d entries", entries)
			}
			return err
		})
		writers.stop()
		w.must(errors.Join(err, writers.wrong()))
		w.Logf("%d entries after %s", entries, time.Since(start).Round(time.Millisecond))
		for _, p := range g.Running() {
			w.must(rig.Until(ctx, p.Name+" to cut its log", func(ctx context.Context) error {
				n, err := number(ctx, p, "muster_boltstore_entries")
				if err == nil && n >= entries {
					err = fmt.Errorf("it has %d entries up to %d", n, entries)
				}
				return err
			}))
		}
		w.Logf("the logs were cut after %s", time.Since(start).Round(time.Millisecond))
	}
}

// number reads a metric without labels.
func number(ctx context.Context, p *rig.Peer, name string) (uint64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.HTTP+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			return uint64(n), err
		}
	}
	return 0, errors.Join(fmt.Errorf("%s has no metric %s", p.Name, name), lines.Err())
}
