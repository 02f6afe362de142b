package httpd_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// TestClusterThen remembers what a cluster was told to be after each of several changes, and asks for it later.
func TestClusterThen(t *testing.T) {
	f := newFace(t)
	f.fleet()
	type sight struct {
		seq    uint64
		detail httpd.ClusterDetail
	}
	var seen []sight
	look := func() {
		seen = append(seen, sight{f.state.Read().Meta().Seq, into[httpd.ClusterDetail](f.get("/v1/cluster/orders"), http.StatusOK)})
	}
	look()
	for _, patch := range []string{`{"group": "core"}`, `{"labels": {"a": "1"}, "guards": [{"min_well": 1}]}`, `{"group": null}`} {
		f.do("PATCH", "/v1/cluster/orders", patch)
		look()
	}
	f.do("POST", "/v1/nodes/transition", `{"to": "maintenance", "nodes": ["orders/orders-1"], "force": true}`)
	look()
	f.do("PATCH", "/v1/cluster/carts", `{"group": "elsewhere"}`)
	for _, s := range seen {
		got := into[httpd.ClusterDetail](f.get(fmt.Sprintf("/v1/cluster/orders?at=%d", s.seq)), http.StatusOK)
		if got.At.Cursor != f.state.Read().Meta().Cursor(s.seq).String() || got.At.Time == 0 {
			t.Errorf("at is %+v, asked for was %d", got.At, s.seq)
		}
		// What no event tells, and so what was cannot show.
		opts := cmp.Options{
			cmpopts.IgnoreFields(httpd.ClusterRow{}, "RefreshedAt", "NextRefresh", "Overdue", "Index"),
			cmpopts.IgnoreFields(httpd.ClusterDetail{}, "At", "LastRefresh"),
			cmpopts.IgnoreFields(httpd.NodeRow{}, "ObservedAt", "Failures", "Index"),
			cmpopts.IgnoreFields(fsm.Source{}, "AbsentSince", "AbsentReads"),
		}
		if diff := cmp.Diff(s.detail, got, opts); diff != "" {
			t.Errorf("at %d (-want +got):\n%s", s.seq, diff)
		}
		byCursor := f.get("/v1/cluster/orders?at=" + got.At.Cursor)
		if diff := cmp.Diff(got, into[httpd.ClusterDetail](byCursor, http.StatusOK)); diff != "" {
			t.Errorf("by cursor (-want +got):\n%s", diff)
		}
	}
	last := f.state.Read().Meta().Seq
	f.get("/v1/cluster/orders?at=0").refuses(http.StatusNotFound, fsm.CodeNotFound)
	f.get("/v1/cluster/nobody?at=1").refuses(http.StatusNotFound, fsm.CodeNotFound)
	f.get(fmt.Sprintf("/v1/cluster/orders?at=%d", last+1)).refuses(http.StatusBadRequest, fsm.CodeInvalid)
	f.get("/v1/cluster/orders?at=yesterday").refuses(http.StatusBadRequest, fsm.CodeInvalid)
	f.get("/v1/cluster/orders?at=OTHER:1").refuses(http.StatusGone, fsm.CodeGone)
	f.get("/v1/cluster/orders?at=1&index=1").refuses(http.StatusBadRequest, fsm.CodeInvalid)
	f.apply(&fsm.EventsTrim{First: last})
	f.get("/v1/cluster/orders?at=1").refuses(http.StatusGone, fsm.CodeGone)
}

// TestPlaceOfThePast checks which places are taken in a group of two epochs, and that the one which is named to go on from is
// known.
func TestPlaceOfThePast(t *testing.T) {
	m := &fsm.Meta{Epochs: []fsm.EpochMark{{Epoch: "e1", First: 1}, {Epoch: "e2", First: 81}}, First: 1, Seq: 90}
	for text, want := range map[string]uint64{"e2:85": 85, "85": 85, "e2:81": 81} {
		if got, err := httpd.ParseAt(url.Values{"at": {text}}, m); err != nil || got != want {
			t.Errorf("%q is %d: %v", text, got, err)
		}
	}
	for text, want := range map[string]error{
		"e1:80": fsm.ErrGone, "e3:85": fsm.ErrGone, ":85": fsm.ErrInvalid, "e2:": fsm.ErrInvalid, "": fsm.ErrInvalid, "-1": fsm.ErrInvalid,
	} {
		var refused *fsm.Error
		_, err := httpd.ParseAt(url.Values{"at": {text}}, m)
		if !errors.Is(err, want) || !errors.As(err, &refused) {
			t.Errorf("%q: %v", text, err)
		} else if oldest := refused.Fields["oldest"]; want == fsm.ErrGone && oldest != "e2:81" {
			t.Errorf("%q: the oldest is %q", text, oldest)
		}
	}
}

func TestHistory(t *testing.T) {
	f := newFace(t)
	f.fleet()
	id := f.state.Read().Cluster("carts").ID
	claim := f.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p1", TTL: fsm.Minute, Reason: fsm.WhyAsked, IDs: []uint64{id}}).Claim
	f.apply(&fsm.ClaimAbandon{Claims: []fsm.Ticket{claim.Ticket()}, Error: "stopping"})
	got := into[[]fsm.Work](f.get("/v1/cluster/carts/history"), http.StatusOK)
	want := fsm.Work{At: claim.Granted, Peer: "peer-a", Outcome: fsm.OutcomeGivenBack, Error: "stopping", Reason: fsm.WhyAsked}
	if len(got) == 0 || got[0] != want {
		t.Errorf("history is %+v, wanted first is %+v", got, want)
	}
	runs := into[[]fsm.Work](f.get("/v1/discovery/prod/history"), http.StatusOK)
	if len(runs) == 0 || runs[len(runs)-1].Reason != fsm.WhyDue {
		t.Errorf("runs are %+v", runs)
	}
	f.get("/v1/cluster/nobody/history").refuses(http.StatusNotFound, fsm.CodeNotFound)
	f.get("/v1/discovery/nobody/history").refuses(http.StatusNotFound, fsm.CodeNotFound)
}

func TestGuards(t *testing.T) {
	f := newFace(t)
	f.fleet()
	nodes := into[[]httpd.NodeRow](f.get("/v1/cluster/orders/nodes"), http.StatusOK)
	f.do("PATCH", "/v1/cluster/orders", fmt.Sprintf(`{"guards": [{"min_commissioned": %d}]}`, len(nodes)))
	move := func(force bool) answer {
		return f.do("POST", "/v1/nodes/transition", fmt.Sprintf(`{"to": "maintenance", "nodes": ["carts/carts-1", "orders/orders-1"], "force": %t}`, force))
	}
	before := f.state.Read().Meta().Seq
	move(false).refuses(http.StatusConflict, fsm.CodeConflict)
	if f.state.Read().Meta().Seq != before {
		t.Error("a refused batch moved a node")
	}
	if got := into[httpd.Transitioned](move(true), http.StatusOK); len(got.Moved) != 2 {
		t.Errorf("forced, it moved %v", got.Moved)
	}
	for body, field := range map[string]string{
		`{"guards": [{"group": "voters"}]}`:           "guards[0]",
		`{"guards": [{"min_wel": 2}]}`:                "guards[0].min_wel",
		`{"guards": [{"min_well": -1}]}`:              "guards[0].min_well",
		`{"guards": {"group": "voters"}}`:             "guards",
		`{"guards": [{"group": "a/b","min_well":1}]}`: "guards[0].group",
	} {
		f.do("PATCH", "/v1/cluster/orders", body).blames(field)
	}
	f.do("PATCH", "/v1/cluster/orders/node/orders-1", `{"guards": []}`).refuses(http.StatusBadRequest, fsm.CodeInvalid)
}
