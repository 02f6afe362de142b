package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// TestAdmissionByHand lists nodes of a discovery that lets none in by itself, and lets them in with one line.
func TestAdmissionByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.dev()
	f := w.fleet(2, 2)
	late := f.node(1, 1)
	path := w.listed(f, func(node string) object {
		if node == late {
			return nil
		}
		return object{"rack": "r1"}
	})
	spec := f.discovery()
	spec["config"], spec["admission"] = object{"files": []string{path}}, fsm.AdmissionManual
	r := &rack{w: w, peer: p, filter: `lifecycle == "discovered"`, events: w.follow(p)}
	w.apply(p, "gate", spec)
	r.nodes = []string{f.cluster(0) + "/" + f.node(0, 0), f.cluster(0) + "/" + f.node(0, 1), f.cluster(1) + "/" + f.node(1, 0)}
	for i := range r.nodes {
		w.await(r.events, 0, r.want(fsm.NodeDiscovered, i))
	}
	r.pending()
	// Nobody asks those who are not let in, and no amount of reading their list lets them in.
	w.laterRuns(p, "gate", 2, fsm.OutcomeUnchanged)
	w.exactly(0, r.events, 0, want{kind: fsm.NodeUp})
	r.refuses("commission", append([]string{"3 nodes match", "nothing was done"}, r.nodes...))
	r.pending()
	r.moves(fsm.NodeCommissioned, "commission")
	w.allHealthy(p, f.clusters)

	// One that comes later waits, too, and those who were let in stay in.
	w.listed(f, func(string) object { return object{"rack": "r1"} })
	r.nodes = []string{f.cluster(1) + "/" + late}
	w.await(r.events, 0, r.want(fsm.NodeDiscovered, 0))
	r.pending()
	w.succeeds("node", "commission", r.nodes[0], at(p.HTTP))
	w.await(r.events, 0, r.want(fsm.NodeCommissioned, 0))
	w.exactly(4, r.events, 0, want{kind: fsm.NodeCommissioned})
	w.await(r.events, 0, r.want(fsm.NodeUp, 0))
	if got := w.muster("node", "list", "-filter", r.filter, at(p.HTTP)); got.code != 2 {
		t.Errorf("when nobody waits: exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
}

// pending fails the test unless exactly the nodes of the rack wait to be let in, and the list says so.
func (r *rack) pending() {
	r.w.Helper()
	var rows []httpd.NodeRow
	r.w.must(json.Unmarshal([]byte(r.w.succeeds("node", "list", "-filter", r.filter, "-format=json", at(r.peer.HTTP))), &rows))
	listed := r.w.succeeds("node", "list", "-filter", r.filter, at(r.peer.HTTP))
	for i, n := range rows {
		if i >= len(r.nodes) || n.Cluster+"/"+n.ID != r.nodes[i] || n.Reach.Value != "" || n.State.Since != 0 {
			r.w.Errorf("node %d that waits is %s/%s, %q, %q", i, n.Cluster, n.ID, n.Reach.Value, n.State.Value)
		}
	}
	if len(rows) != len(r.nodes) || strings.Count(listed, "pending") != len(r.nodes) {
		r.w.Errorf("%d nodes wait, and should be %s:\n%s", len(rows), r.nodes, listed)
	}
}
