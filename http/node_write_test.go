package httpd_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestPatchNode(t *testing.T) {
	f := newFace(t)
	f.fleet()
	node := func() *fsm.Node { r := f.state.Read(); return r.Node(r.Cluster("orders").ID, "a/b") }
	target := "/v1/cluster/orders/node/a%2Fb"
	ack := into[httpd.Ack](f.do(http.MethodPatch, target, `{"group": "g", "labels": {"x": "1"}, "vars": {"v": [1]}}`), http.StatusOK)
	want := fsm.Settable{Group: "g", Labels: map[string]string{"x": "1"}, Vars: `{"v":[1]}`}
	if diff := cmp.Diff(want, node().Settings); diff != "" || ack.Index != node().Index || !ack.Changed {
		t.Fatalf("ack %+v, node at %d, settings (-want +got):\n%s", ack, node().Index, diff)
	}
	if e := f.lastEvent(); e.Type != fsm.NodeSettingsChanged || e.Node != "a/b" || e.Cluster != "orders" {
		t.Errorf("event is %s of %s/%s", e.Type, e.Cluster, e.Node)
	}
	f.do(http.MethodPatch, target+"?cas=1", `{"group": "h"}`).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	if ack := into[httpd.Ack](f.do(http.MethodPatch, target+"?cas=1", `{"group": "g"}`), http.StatusOK); ack.Changed {
		t.Error("nothing was to be changed, yet something was")
	}
	// Another node's change moves the cluster, not this node.
	f.do(http.MethodPatch, "/v1/cluster/orders/node/orders-1", `{"group": "h"}`)
	at := itoa(node().Index)
	into[httpd.Ack](f.do(http.MethodPatch, target+"?cas="+at, `{"group": null, "labels": null, "vars": null}`), http.StatusOK)
	if !node().Settings.IsZero() {
		t.Errorf("all is unset, yet there is %+v", node().Settings)
	}
	f.do(http.MethodPatch, target, `{"refresh": {}}`).blames("refresh")
	f.do(http.MethodPatch, target, `{"labels": {"a": ["x"]}}`).blames("labels.a")
	f.do(http.MethodPatch, "/v1/cluster/orders/node/nobody", `{}`).refuses(http.StatusNotFound, fsm.CodeNotFound)
	f.do(http.MethodPatch, "/v1/cluster/nobody/node/x", `{}`).refuses(http.StatusNotFound, fsm.CodeNotFound)
}

func (f *face) move(to string, force bool, nodes ...string) answer {
	f.t.Helper()
	return f.do(http.MethodPost, "/v1/nodes/transition", httpd.Transition{To: fsm.Lifecycle(to), Force: force, Nodes: nodes})
}

func TestTransition(t *testing.T) {
	f := newFace(t)
	f.fleet()
	got := into[httpd.Transitioned](f.move("maintenance", false, "orders/orders-1", "carts/carts-1", "orders/orders-1"), http.StatusOK)
	if !slices.Equal(got.Moved, []string{"carts/carts-1", "orders/orders-1"}) {
		t.Fatalf("moved %v", got.Moved)
	}
	r := f.state.Read()
	orders, carts := r.Cluster("orders"), r.Cluster("carts")
	if orders.Index != got.Index || carts.Index != got.Index {
		t.Errorf("two clusters, two entries: %d and %d", orders.Index, carts.Index)
	}
	// What follows from it is told in the same step.
	if carts.Health != fsm.HealthUnknown || !slices.Equal(carts.Reasons, []string{fsm.BecauseNoCountedNodes}) {
		t.Errorf("health of carts is %s %v", carts.Health, carts.Reasons)
	}
	counts := into[[]httpd.ClusterRow](f.get("/v1/clusters"), http.StatusOK)[0].Nodes
	if counts != (httpd.Counts{Total: 1, Maintenance: 1}) {
		t.Errorf("counts are %+v", counts)
	}
	again := into[httpd.Transitioned](f.move("maintenance", false, "orders/orders-1"), http.StatusOK)
	if len(again.Moved) != 0 || again.Moved == nil || f.state.Read().Cluster("orders").Index != got.Index {
		t.Errorf("a node already there is answered %+v", again)
	}
	got = into[httpd.Transitioned](f.move("commissioned", false, "orders/orders-1", "orders/orders-2"), http.StatusOK)
	if !slices.Equal(got.Moved, []string{"orders/orders-1"}) {
		t.Errorf("resumed %v", got.Moved)
	}
}

func TestTransitionIsAllOrNone(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.move("decommissioned", false, "orders/orders-1", "carts/carts-1")
	index := f.state.Read().Meta().Index
	r := f.move("maintenance", false, "orders/orders-2", "orders/orders-1", "carts/carts-1", "orders/nobody", "none/x").
		refuses(http.StatusConflict, fsm.CodeConflict)
	want := map[string]string{
		"orders/orders-1": "is decommissioned, from where it cannot become maintenance",
		"carts/carts-1":   "is decommissioned, from where it cannot become maintenance",
		"orders/nobody":   "is not there", "none/x": "is not there",
	}
	if diff := cmp.Diff(want, r.Error.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if f.state.Read().Meta().Index != index {
		t.Error("a refused transition went to the log")
	}
	if want := "no node was moved, since 4 forbid it: carts/carts-1 is decommissioned"; !strings.HasPrefix(r.Error.Message, want) {
		t.Errorf("it says %q, want %q…", r.Error.Message, want)
	}
	alone := f.move("maintenance", false, "orders/nobody").refuses(http.StatusNotFound, fsm.CodeNotFound)
	if want := "no node was moved: orders/nobody is not there"; alone.Error.Message != want {
		t.Errorf("of one it says %q, want %q", alone.Error.Message, want)
	}
	f.move("forgotten", false, "orders/orders-1").refuses(http.StatusConflict, fsm.CodeConflict)
}

func TestForgetTheLastNode(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.move("decommissioned", false, "carts/carts-1")
	got := into[httpd.Transitioned](f.move("forgotten", true, "carts/carts-1", "carts/long-gone", "never/was"), http.StatusOK)
	if !slices.Equal(got.Moved, []string{"carts/carts-1"}) {
		t.Errorf("moved %v", got.Moved)
	}
	r := f.state.Read()
	if r.Cluster("carts") != nil || f.lastEvent().Type != fsm.ClusterRemoved {
		t.Fatalf("the cluster stayed without a node; last event %s", f.lastEvent().Type)
	}
	for range r.Listed(1) {
		return // the other cluster's listings stayed
	}
	t.Error("all listings went")
}

func TestTransitionRequests(t *testing.T) {
	f := newFace(t)
	f.fleet()
	nodes := make([]string, 501)
	for i := range nodes {
		nodes[i] = fmt.Sprintf("orders/n%d", i)
	}
	f.move("maintenance", false, nodes...).refuses(http.StatusRequestEntityTooLarge, fsm.CodeTooLarge)
	f.move("maintenance", false, nodes[:500]...).refuses(http.StatusNotFound, fsm.CodeNotFound)
	f.move("maintenance", false).blames("nodes")
	f.move("maintenance", false, "orders").blames("nodes")
	f.move("discovered", false, "orders/orders-1").blames("to")
	f.move("gone", false, "orders/orders-1").blames("to")
}
