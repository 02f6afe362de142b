package httpd_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

func TestPatchClusterMergesAndUnsets(t *testing.T) {
	f := newFace(t)
	f.fleet()
	steps := []struct {
		patch, want string
		changed     bool
	}{
		{
			`{"group": "core", "labels": {"a": "1", "b": "2"}, "vars": {"x": {"y": 1, "z": 2}, "w": 3}}`,
			`{"group":"core","labels":{"a":"1","b":"2"},"vars":{"w":3,"x":{"y":1,"z":2}},"guards":[],"refresh":{}}`, true,
		},
		{
			`{"labels": {"a": null, "c": "3"}, "vars": {"x": {"y": null}}}`,
			`{"group":"core","labels":{"b":"2","c":"3"},"vars":{"w":3,"x":{"z":2}},"guards":[],"refresh":{}}`, true,
		},
		{
			`{"refresh": {"timeout": "1s", "enabled": false, "config": {"path": "/x"}}}`,
			`{"group":"core","labels":{"b":"2","c":"3"},"vars":{"w":3,"x":{"z":2}},"guards":[],"refresh":{"config":{"path":"/x"},"timeout":"1s","enabled":false}}`, true,
		},
		{
			`{"refresh": {"timeout": "1s", "enabled": null}, "group": "core", "labels": {"gone": null}}`,
			`{"group":"core","labels":{"b":"2","c":"3"},"vars":{"w":3,"x":{"z":2}},"guards":[],"refresh":{"config":{"path":"/x"},"timeout":"1s"}}`, true,
		},
		{
			`{"group": "core", "vars": {"w": 3}}`,
			`{"group":"core","labels":{"b":"2","c":"3"},"vars":{"w":3,"x":{"z":2}},"guards":[],"refresh":{"config":{"path":"/x"},"timeout":"1s"}}`, false,
		},
		{
			`{"group": null, "labels": null, "vars": {"x": null, "w": null}, "refresh": null}`,
			`{"group":"","labels":{},"vars":{},"guards":[],"refresh":{}}`, true,
		},
		{`{}`, `{"group":"","labels":{},"vars":{},"guards":[],"refresh":{}}`, false},
	}
	for _, step := range steps {
		before := f.state.Read().Cluster("orders").Index
		ack := into[httpd.Ack](f.do(http.MethodPatch, "/v1/cluster/orders", step.patch), http.StatusOK)
		c := f.state.Read().Cluster("orders")
		if ack.Changed != step.changed || ack.Index != c.Index || (c.Index != before) != step.changed {
			t.Errorf("%s: ack %+v, index from %d to %d", step.patch, ack, before, c.Index)
		}
		detail := into[struct{ Settings jsonText }](f.get("/v1/cluster/orders"), http.StatusOK)
		if diff := cmp.Diff(step.want, string(detail.Settings)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.patch, diff)
		}
	}
	if f.state.Read().Cluster("orders").Word() {
		t.Error("all is unset, yet the cluster carries an operator's word")
	}
}

// jsonText keeps JSON as it came.
type jsonText string

func (j *jsonText) UnmarshalJSON(raw []byte) error {
	*j = jsonText(raw)
	return nil
}

func TestPatchClusterTellsOneFact(t *testing.T) {
	f := newFace(t)
	f.fleet()
	seq := f.state.Read().Meta().Seq
	f.do(http.MethodPatch, "/v1/cluster/orders", `{"group": "core", "refresh": {"down_after": 3}}`)
	e := f.lastEvent()
	three := 3
	want := fsm.Fact{
		Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{},
		After: &fsm.SettingsPart{Settable: fsm.Settable{Group: "core"}, Refresh: &fsm.RefreshPatch{DownAfter: &three}},
	}
	if diff := cmp.Diff(want, e.Fact); diff != "" {
		t.Errorf("fact (-want +got):\n%s", diff)
	}
	if got := f.state.Read().Meta().Seq; got != seq+1 || e.Cause.Address != "192.0.2.7" {
		t.Errorf("%d events, cause %+v", got-seq, e.Cause)
	}
}

func TestPatchClusterIsChecked(t *testing.T) {
	f := newFace(t)
	f.fleet()
	for patch, field := range map[string]string{
		`{"grup": "x"}`: "grup", `{"group": "a/b"}`: "group", `{"labels": {"a": 1}}`: "labels.a", `{"labels": {"": "x"}}`: "labels",
		`{"vars": [1]}`: "vars", `{"vars": "x"}`: "vars", `{"refresh": {"timeout": "9s"}}`: "refresh.timeout",
		`{"refresh": {"identity": "maybe"}}`: "refresh.identity", `[]`: "body", `null`: "body",
		`{"vars": {"a": "` + strings.Repeat("x", fsm.MaxVars) + `"}}`: "vars",
		`{"refresh": {"nosuch": null}}`:                               "refresh.nosuch",
	} {
		f.do(http.MethodPatch, "/v1/cluster/orders", patch).blames(field)
	}
	f.do(http.MethodPatch, "/v1/cluster/nobody", `{}`).refuses(http.StatusNotFound, fsm.CodeNotFound)
	// What is in force is judged: the discovery's timeout of 3s with a patch of the other.
	if a := f.do(http.MethodPatch, "/v1/cluster/orders", `{"refresh": {"connect_timeout": "4s"}}`); a.Code != http.StatusBadRequest {
		t.Errorf("a connect timeout above the timeout is answered %d", a.Code)
	}
}

func TestClusterCAS(t *testing.T) {
	f := newFace(t)
	f.fleet()
	at := f.state.Read().Cluster("orders").Index
	f.do(http.MethodPatch, "/v1/cluster/orders?cas="+itoa(at-1), `{"group": "x"}`).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	f.do(http.MethodPatch, "/v1/cluster/orders?cas=0", `{"group": "x"}`).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	into[httpd.Ack](f.do(http.MethodPatch, "/v1/cluster/orders?cas="+itoa(at), `{"group": "x"}`), http.StatusOK)
	into[httpd.Ack](f.do(http.MethodPatch, "/v1/cluster/orders?cas="+itoa(at), `{"group": "x"}`), http.StatusOK)
	f.do(http.MethodPatch, "/v1/cluster/orders?cas="+itoa(at), `{"group": "y"}`).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
}

func TestChangeOnAMovedCluster(t *testing.T) {
	f := newFace(t)
	f.fleet()
	moves := 0
	var move func()
	move = func() { // a change of another client slips in before each of the first proposals
		if moves++; moves < 3 {
			defer func() { f.beforeLog = move }()
		}
		c := f.state.Read().Cluster("orders")
		facts := []fsm.Fact{{
			Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{Settable: c.Settings},
			After: &fsm.SettingsPart{Settable: fsm.Settable{Labels: map[string]string{"n": strconv.Itoa(moves)}}},
		}}
		f.apply(&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: c.ID, Base: c.Index, Facts: facts}}})
	}
	f.beforeLog = move
	into[httpd.Ack](f.do(http.MethodPatch, "/v1/cluster/orders", `{"group": "core"}`), http.StatusOK)
	got := f.state.Read().Cluster("orders").Settings
	if want := (fsm.Settable{Group: "core", Labels: map[string]string{"n": "3"}}); !cmp.Equal(want, got) || moves != 3 {
		t.Fatalf("after %d moves the settings are %+v", moves, got)
	}
	moves = -100
	f.beforeLog = move
	f.do(http.MethodPatch, "/v1/cluster/orders", `{"group": "other"}`).refuses(http.StatusConflict, fsm.CodeStale)
	moves = 2
	f.beforeLog = move
	at := f.state.Read().Cluster("orders").Index
	f.do(http.MethodPatch, "/v1/cluster/orders?cas="+itoa(at), `{"group": "other"}`).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
}

func TestWritesWithoutLeader(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.noLeader = true
	for method, path := range map[string]string{http.MethodPatch: "/v1/cluster/orders", http.MethodDelete: "/v1/discovery/prod"} {
		r := f.do(method, path, map[string]any{"group": "x"}).refuses(http.StatusServiceUnavailable, fsm.CodeUnavailable)
		if strings.Contains(r.Error.Message, "stale") || !strings.Contains(r.Error.Message, "not done") {
			t.Errorf("%s is told %q, which helps no write", method, r.Error.Message)
		}
	}
	f.noLeader, f.unknown = false, true
	r := f.do(http.MethodPatch, "/v1/cluster/orders", `{"group": "x"}`).refuses(http.StatusServiceUnavailable, fsm.CodeUnknown)
	if r.Error.Outcome != "unknown" {
		t.Errorf("outcome is %q", r.Error.Outcome)
	}
	f.unknown = false
	if ack := into[httpd.Ack](f.do(http.MethodPatch, "/v1/cluster/orders", `{"group": "x"}`), http.StatusOK); ack.Changed {
		t.Error("the write that had been done was done again")
	}
}

func TestDeleteCluster(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.do(http.MethodPatch, "/v1/cluster/carts", `{"group": "x"}`)
	f.do(http.MethodDelete, "/v1/cluster/carts", nil).refuses(http.StatusConflict, fsm.CodeConflict)
	f.do(http.MethodPost, "/v1/nodes/transition", `{"to": "decommissioned", "nodes": ["carts/carts-1"]}`)
	f.do(http.MethodPost, "/v1/nodes/transition", `{"to": "forgotten", "force": true, "nodes": ["carts/carts-1"]}`)
	c := f.state.Read().Cluster("carts")
	if c == nil {
		t.Fatal("a cluster with an operator's word went with its last node")
	}
	f.do(http.MethodDelete, "/v1/cluster/carts?cas=1", nil).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	if ack := into[httpd.Ack](f.do(http.MethodDelete, "/v1/cluster/carts?cas="+itoa(c.Index), nil), http.StatusOK); !ack.Changed {
		t.Error("nothing was deleted")
	}
	if f.state.Read().Cluster("carts") != nil || f.lastEvent().Type != fsm.ClusterRemoved {
		t.Fatalf("the cluster is still there, last event %s", f.lastEvent().Type)
	}
	if ack := into[httpd.Ack](f.do(http.MethodDelete, "/v1/cluster/carts?cas=1", nil), http.StatusOK); ack.Changed || ack.Index == 0 {
		t.Errorf("deleting what is gone is answered %+v", ack)
	}
}

func TestRefreshCluster(t *testing.T) {
	f := newFace(t)
	f.fleet()
	got := into[httpd.ClaimRow](f.do(http.MethodPost, "/v1/cluster/orders/refresh", nil), http.StatusAccepted)
	if got.Subject != (httpd.ClaimSubject{Kind: "refresh", Name: "orders"}) || got.Reason != fsm.WhyAsked {
		t.Fatalf("claim is %+v", got)
	}
	if e := f.lastEvent(); e.Type != fsm.OperatorActed || e.Cause.Address != "192.0.2.7" {
		t.Errorf("event is %s by %+v", e.Type, e.Cause)
	}
	r := f.do(http.MethodPost, "/v1/cluster/orders/refresh", nil).refuses(http.StatusConflict, fsm.CodeClaimed)
	if diff := cmp.Diff(&got, r.Error.Claim); diff != "" {
		t.Errorf("the claim in the way (-want +got):\n%s", diff)
	}
	f.do(http.MethodPost, "/v1/cluster/nobody/refresh", nil).refuses(http.StatusNotFound, fsm.CodeNotFound)
}

func TestLiveCluster(t *testing.T) {
	f := newFace(t)
	f.fleet()
	index := f.state.Read().Cluster("orders").Index
	gone := fsm.Unreachable("gone", fsm.ReasonTimeout, "3s")
	f.reports = []fsm.Report{up("orders-2", fsm.RolePrimary), gone}
	got := into[[]httpd.LiveNode](f.get("/v1/cluster/orders/live"), http.StatusOK)
	if len(got) != 2 || got[0].View == nil || got[0].View.Shards[0].Role != fsm.RoleReplica || got[0].Says.Shards[0].Role != fsm.RolePrimary {
		t.Fatalf("live is %+v", got)
	}
	want := httpd.LiveNode{Node: "gone", Says: httpd.Answer{Reach: fsm.Axis{Value: fsm.NotReachable, Reason: "timeout", Detail: "3s"}}}
	if diff := cmp.Diff(want, got[1]); diff != "" {
		t.Errorf("a node that is gone (-want +got):\n%s", diff)
	}
	if f.state.Read().Cluster("orders").Index != index {
		t.Error("asking stored something")
	}
	f.get("/v1/cluster/nobody/live").refuses(http.StatusNotFound, fsm.CodeNotFound)
}
