package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// listed writes a file that lists nodes of a fleet with labels; those for which there are none are left out.
func (w *world) listed(f *fleet, labels func(node string) object) string {
	w.Helper()
	raw, err := os.ReadFile(f.file)
	w.must(err)
	var clusters []struct {
		Cluster string   `json:"cluster"`
		Nodes   []object `json:"nodes"`
	}
	w.must(json.Unmarshal(raw, &clusters))
	var out []object
	for _, c := range clusters {
		var nodes []object
		for _, n := range c.Nodes {
			if n["labels"] = labels(n["id"].(string)); n["labels"].(object) != nil {
				nodes = append(nodes, n)
			}
		}
		if nodes != nil {
			out = append(out, object{"cluster": c.Cluster, "nodes": nodes})
		}
	}
	return w.write("listed.json", out)
}

// rack is nodes that one filter selects, with a follower of what happens to them.
type rack struct {
	w      *world
	peer   *rig.Peer
	filter string
	nodes  []string // cluster/id, sorted
	events *stream
}

// move moves what the filter selects with a verb of the command.
func (r *rack) move(verb string, options ...string) result {
	r.w.Helper()
	return r.w.muster(append([]string{"node", verb, "-filter", r.filter, at(r.peer.HTTP)}, options...)...)
}

// moves moves the nodes, which must go well, and checks that each has its one event and no other node has any.
func (r *rack) moves(kind fsm.EventType, verb string, options ...string) {
	r.w.Helper()
	mark := r.events.mark()
	got := r.move(verb, append(options, "-yes")...)
	if words := fmt.Sprintf("%d nodes are", len(r.nodes)); got.code != 0 || !strings.HasPrefix(got.stdout, words) {
		r.w.Fatalf("%s: exit %d, wanted are the words %q:\n%s%s", verb, got.code, words, got.stdout, got.stderr)
	}
	r.w.await(r.events, mark, r.want(kind, len(r.nodes)-1))
	if diff := cmp.Diff(r.nodes, r.moved(mark, kind)); diff != "" {
		r.w.Errorf("%s events (-wanted, +told):\n%s", kind, diff)
	}
}

func (r *rack) want(kind fsm.EventType, i int) want {
	cluster, id, _ := strings.Cut(r.nodes[i], "/")
	return want{kind, cluster, id}
}

// moved are the nodes of events of a kind from a place on, sorted.
func (r *rack) moved(mark int, kind fsm.EventType) []string {
	out := []string{}
	for _, e := range r.events.all()[mark:] {
		if e.Type == kind {
			out = append(out, e.Cluster+"/"+e.Node)
		}
	}
	slices.Sort(out)
	return out
}

// refuses moves the nodes, which must not be done: the command ends with 1 and says the words, and nothing moves, of any
// cluster.
func (r *rack) refuses(verb string, words []string, options ...string) {
	r.w.Helper()
	got := r.move(verb, options...)
	if got.code != 1 || got.stdout != "" {
		r.w.Errorf("%s %q: exit %d, stdout %q", verb, options, got.code, got.stdout)
	}
	for _, word := range words {
		if !strings.Contains(got.stderr, word) {
			r.w.Errorf("%s %q does not say %q:\n%s", verb, options, word, got.stderr)
		}
	}
	if in := r.inMaintenance(); len(in) > 0 {
		r.w.Errorf("%s %q moved %s", verb, options, in)
	}
}

// inMaintenance are the nodes of all clusters that are, sorted.
func (r *rack) inMaintenance() []string {
	r.w.Helper()
	rows, err := httpd.All(r.w.soon(), httpd.List{Filter: `lifecycle == "maintenance"`}, r.peer.API.Nodes)
	r.w.must(err)
	out := []string{}
	for _, n := range rows {
		out = append(out, n.Cluster+"/"+n.ID)
	}
	slices.Sort(out)
	return out
}

// TestMaintenanceOfARack takes a rack across all clusters into maintenance and out of it, each in one line. Which nodes
// stand in it the source says of some and an operator of others.
func TestMaintenanceOfARack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.dev()
	f := w.fleet(4, 3)
	inRack := []string{f.node(0, 0), f.node(0, 1), f.node(1, 2), f.node(3, 0)}
	path := w.listed(f, func(node string) object {
		if slices.Contains(inRack, node) {
			return object{"rack": "r7"}
		}
		return object{"rack": "r1"}
	})
	spec := f.discovery()
	spec["config"] = object{"files": []string{path}}
	w.apply(p, "racks", spec)
	w.allHealthy(p, f.clusters)
	name := func(cluster, i int) string { return f.cluster(cluster) + "/" + f.node(cluster, i) }
	w.succeeds("node", "set", name(2, 1), "-label", "rack=r7", at(p.HTTP))
	w.succeeds("node", "set", name(3, 0), "-label", "rack=r9", at(p.HTTP)) // the operator knows better
	r := &rack{
		w: w, peer: p, filter: `labels.rack == "r7"`, events: w.follow(p),
		nodes: []string{name(0, 0), name(0, 1), name(1, 2), name(2, 1)},
	}

	before := w.lastCursor(p)
	r.refuses("maintenance", append([]string{"4 nodes match", "nothing was done", "-yes"}, r.nodes...))
	w.succeeds("cluster", "set", f.cluster(0), "-guard", "min_commissioned=2", at(p.HTTP))
	r.refuses("maintenance", []string{
		"no node was moved", "2 forbid", name(0, 0), name(0, 1), "guard", "at least 2 commissioned", "1 would be left",
	}, "-yes")
	if told := w.between(p, before); !slices.Equal(told, []fsm.EventType{fsm.ClusterSettingsChanged}) {
		t.Errorf("a preview, a guard and a refusal by it are told as %s", told)
	}

	r.moves(fsm.NodeMaintenance, "maintenance", "-force")
	if diff := cmp.Diff(r.nodes, r.inMaintenance()); diff != "" {
		t.Errorf("in maintenance (-wanted, +shown):\n%s", diff)
	}
	r.workedOn(f)
	r.moves(fsm.NodeResumed, "resume")
	w.allHealthy(p, f.clusters)

	w.succeeds("cluster", "set", f.cluster(0), "-guard", "", at(p.HTTP))
	r.moves(fsm.NodeMaintenance, "maintenance")
	r.moves(fsm.NodeResumed, "resume")
	if got := r.move("resume", "-yes"); got.code != 2 {
		t.Errorf("with nothing to resume: exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
}

// between are the types of the events after a cursor.
func (w *world) between(p *rig.Peer, after string) []fsm.EventType {
	w.Helper()
	page, err := p.API.Events(w.soon(), httpd.EventsQuery{After: after}, 1000)
	w.must(err)
	var out []fsm.EventType
	for _, e := range page.Rows {
		out = append(out, e.Type)
	}
	return out
}

// workedOn stops a node of the rack and one beside it: the event of the one says that it is in maintenance, and its
// cluster's health does not suffer.
func (r *rack) workedOn(f *fleet) {
	r.w.Helper()
	beside := f.node(1, 0)
	mark := r.events.mark()
	r.w.act(f, "stop", f.cluster(2), f.node(2, 1))
	r.w.act(f, "stop", f.cluster(1), beside)
	for node, in := range map[want]bool{
		r.want(fsm.NodeUnreachable, 3): true, {fsm.NodeUnreachable, f.cluster(1), beside}: false,
	} {
		if e := r.w.await(r.events, mark, node); e.Maintenance != in {
			r.w.Errorf("%s: maintenance is %t", node, e.Maintenance)
		}
	}
	for cluster, health := range map[string]string{f.cluster(2): fsm.HealthHealthy, f.cluster(1): fsm.HealthDegraded} {
		c, _, err := r.peer.API.Cluster(r.w.soon(), cluster, httpd.Read{})
		r.w.must(err)
		if c.Health != health {
			r.w.Errorf("%s is %s %v, want %s", cluster, c.Health, c.Reasons, health)
		}
	}
	r.w.act(f, "start", f.cluster(2), f.node(2, 1))
	r.w.act(f, "start", f.cluster(1), beside)
	r.w.await(r.events, mark, r.want(fsm.NodeReachable, 3))
}
