package sidecar_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cmd/muster/sidecar"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// leader is what a store says that leads one shard and follows in another.
func leader() fsm.Report {
	return fsm.Report{
		Node: "store", Reachable: true, State: fsm.StateUp, NodeID: "n-1", ClusterID: "orders", Kind: "redis", Version: "7.0.15",
		Shards: []fsm.Shard{
			{ID: "0", Role: fsm.RolePrimary, Offset: &fsm.Offset{Value: 918, Unit: "bytes"}},
			{ID: "1", Role: fsm.RoleReplica, Offset: &fsm.Offset{Value: 7, Unit: "bytes"}, LagMS: new(int64(400))},
		},
		Attributes: map[string]string{"maxmemory": "0"},
	}
}

// says is the report that a peer makes of an answer.
func says(t *testing.T, w *httptest.ResponseRecorder) fsm.Report {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	d, err := refresh.Decode(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return d.Report("store")
}

// bubble runs a test in virtual time, with a sidecar of a store.
func bubble(t *testing.T, change func(*sidecar.Config), test func(*testing.T, *store, *sidecar.Sidecar)) {
	synctest.Test(t, func(t *testing.T) {
		db := &store{says: leader()}
		c := config(db)
		if change != nil {
			change(&c)
		}
		s, stop := run(t, c)
		defer stop()
		test(t, db, s)
	})
}

// later lets pass so much time that the next poll needs a new probe.
func later() { <-time.After(time.Second) }

func TestSaysWhatTheStoreSays(t *testing.T) {
	bubble(t, nil, func(t *testing.T, _ *store, s *sidecar.Sidecar) {
		want := leader()
		want.SidecarVersion = "0.1.0"
		if diff := cmp.Diff(want, says(t, get(t, s, "/v1/node"))); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
}

func TestSaysWhatItWasTold(t *testing.T) {
	change := func(c *sidecar.Config) {
		c.NodeID, c.ClusterID = "mine", "ours"
		c.Attributes = map[string]string{"zone": "a", "maxmemory": "much"}
	}
	bubble(t, change, func(t *testing.T, _ *store, s *sidecar.Sidecar) {
		want := leader()
		want.SidecarVersion, want.NodeID, want.ClusterID = "0.1.0", "mine", "ours"
		want.Attributes = map[string]string{"zone": "a", "maxmemory": "much"}
		if diff := cmp.Diff(want, says(t, get(t, s, "/v1/node"))); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
}

func TestNotModified(t *testing.T) {
	bubble(t, nil, func(t *testing.T, db *store, s *sidecar.Sidecar) {
		tag := get(t, s, "/v1/node").Header().Get("ETag")
		moved := leader()
		moved.Shards[0].Offset.Value, *moved.Shards[1].LagMS = 1000, 750
		db.say(moved)
		later()
		for _, header := range []string{tag, strings.TrimPrefix(tag, "W/"), `"other", ` + tag, "*"} {
			w := get(t, s, "/v1/node", "If-None-Match: "+header)
			if w.Code != http.StatusNotModified || w.Body.Len() > 0 {
				t.Errorf("If-None-Match %s: status %d, body %q", header, w.Code, w.Body)
			}
			if w.Header().Get("ETag") != tag || w.Header().Get(refresh.LagHeader) != "750" {
				t.Errorf("If-None-Match %s: header is %v", header, w.Header())
			}
		}
		moved.Shards[1].Role = fsm.RoleRecovering
		db.say(moved)
		later()
		if got := says(t, get(t, s, "/v1/node", "If-None-Match: "+tag)); got.Shards[1].Role != fsm.RoleRecovering {
			t.Errorf("after a change: report is %+v", got)
		}
	})
}

// TestStoppedStore tells a sidecar how probes end, one after the other, and looks at what it makes of each.
func TestStoppedStore(t *testing.T) {
	up := leader()
	up.SidecarVersion = "0.1.0"
	down := up
	down.State, down.StateReason = fsm.StateDown, fsm.ReasonStore
	down.Shards = []fsm.Shard{{ID: "0", Role: "down"}, {ID: "1", Role: fsm.RoleReplica}}
	const asked = "" // what stands for an answer of 503
	bubble(t, nil, func(t *testing.T, db *store, s *sidecar.Sidecar) {
		for i, step := range []struct {
			reason string // empty: the store answers
			state  string
		}{
			{"", fsm.StateUp},
			{fsm.ReasonRefused, fsm.StateDown},
			{fsm.ReasonTimeout, fsm.StateDown},
			{"", fsm.StateUp},
			{fsm.ReasonTimeout, asked},
			{fsm.ReasonReset, fsm.StateDown},
			{"", fsm.StateUp},
			{fsm.ReasonReset, asked},
			{"", fsm.StateUp},
			{fsm.ReasonTimeout, asked},
			{fsm.ReasonAuth, asked},
			{fsm.ReasonTimeout, asked},
			{fsm.ReasonTimeout, fsm.StateDown},
			{fsm.ReasonStore, fsm.StateDown},
			{fsm.ReasonProtocol, asked},
			{fsm.ReasonStore, fsm.StateDown},
		} {
			if step.reason == "" {
				db.say(leader())
			} else {
				db.fail(step.reason)
			}
			later()
			w := get(t, s, "/v1/node")
			want := map[string]fsm.Report{fsm.StateUp: up, fsm.StateDown: down}[step.state]
			if step.state == asked {
				if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"reason":"`+step.reason+`"`) {
					t.Errorf("step %d, %s: status %d, %s", i, step.reason, w.Code, w.Body)
				}
			} else if diff := cmp.Diff(want, says(t, w)); diff != "" {
				t.Errorf("step %d, %s: report (-want +got):\n%s", i, step.reason, diff)
			}
		}
	})
}

func TestStoppedFromTheStart(t *testing.T) {
	change := func(c *sidecar.Config) {
		c.Prober.(*store).fail(fsm.ReasonRefused)
		c.NodeID, c.Attributes = "mine", map[string]string{"zone": "a"}
	}
	bubble(t, change, func(t *testing.T, _ *store, s *sidecar.Sidecar) {
		want := fsm.Report{
			Node: "store", Reachable: true, State: fsm.StateDown, StateReason: fsm.ReasonStore, SidecarVersion: "0.1.0",
			NodeID: "mine", Attributes: map[string]string{"zone": "a"},
		}
		if diff := cmp.Diff(want, says(t, get(t, s, "/v1/node"))); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
}
