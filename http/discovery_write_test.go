package httpd_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestPutDiscovery(t *testing.T) {
	f := newFace(t)
	body := `{"backend": "file", "config": {"files": ["/x"]}, "refresh": {"timeout": "500ms"}}`
	ack := into[httpd.Ack](f.do(http.MethodPut, "/v1/discovery/prod", body), http.StatusOK)
	got := f.state.Read().Discovery("prod")
	want := fsm.DefaultSpec()
	want.Backend, want.Config = "file", `{"files":["/x"]}`
	want.Refresh.Timeout, want.Refresh.ConnectTimeout = 500, 500
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if ack != (httpd.Ack{Index: got.Index, Changed: true}) {
		t.Errorf("ack is %+v, stored at %d", ack, got.Index)
	}
	cause := fsm.Cause{Kind: fsm.CauseOperator, Address: "192.0.2.7"}
	if e := f.lastEvent(); e.Type != fsm.DiscoveryApplied || e.Cause != cause {
		t.Errorf("event is %s by %+v", e.Type, e.Cause)
	}
	again := into[httpd.Ack](f.do(http.MethodPut, "/v1/discovery/prod?cas=1", body), http.StatusOK)
	if again != (httpd.Ack{Index: got.Index}) {
		t.Errorf("an equal PUT is answered %+v", again)
	}
	shown := f.get("/v1/discovery/prod").Body.String()
	edited := into[httpd.Ack](f.do(http.MethodPut, "/v1/discovery/prod", shown), http.StatusOK)
	if edited.Changed {
		t.Error("what a GET shows, PUT back, changes something")
	}
}

func TestDiscoveryCAS(t *testing.T) {
	f := newFace(t)
	f.applied("prod")
	put := func(query, interval string) answer {
		return f.do(http.MethodPut, "/v1/discovery/prod"+query, `{"backend": "file", "interval": "`+interval+`"}`)
	}
	put("?cas=0", "2m").refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	put("?cas=7", "2m").refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	put("?cas=x", "2m").blames("cas")
	at := itoa(f.state.Read().Discovery("prod").Index)
	if a := put("?cas="+at, "2m"); a.Code != http.StatusOK {
		t.Fatalf("the right cas is answered %d: %s", a.Code, a.Body)
	}
	f.do(http.MethodPut, "/v1/discovery/new?cas=5", `{"backend": "file"}`).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	if a := f.do(http.MethodPut, "/v1/discovery/new?cas=0", `{"backend": "file"}`); a.Code != http.StatusOK {
		t.Fatalf("cas=0 of what is not there is answered %d", a.Code)
	}
	f.do(http.MethodDelete, "/v1/discovery/prod?cas=1", nil).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	at = itoa(f.state.Read().Discovery("prod").Index)
	if ack := into[httpd.Ack](f.do(http.MethodDelete, "/v1/discovery/prod?cas="+at, nil), http.StatusOK); !ack.Changed {
		t.Error("the right cas deleted nothing")
	}
	for _, name := range []string{"prod", "nobody"} {
		if ack := into[httpd.Ack](f.do(http.MethodDelete, "/v1/discovery/"+name+"?cas=1", nil), http.StatusOK); ack.Changed {
			t.Errorf("deleting %s, which is gone, changed something", name)
		}
	}
	put("", "3m").refuses(http.StatusConflict, fsm.CodeConflict)
}

func TestPutDiscoveryIsValidated(t *testing.T) {
	f := newFace(t)
	f.validate = func(s *fsm.Spec) error {
		return fsm.Invalid("config.files", "is empty")
	}
	if said := f.do(http.MethodPut, "/v1/discovery/prod", `{"backend": "file"}`).blames("config.files"); said != "is empty" {
		t.Errorf("said %q", said)
	}
	f.do(http.MethodPut, "/v1/discovery/a%2Fb", `{"backend": "file"}`).blames("name")
	f.do(http.MethodPut, "/v1/discovery/"+strings.Repeat("x", 254), `{"backend": "file"}`).blames("name")
	f.do(http.MethodPost, "/v1/discoveries/preview", `{"backend": "file"}`).blames("config.files")
}

func TestRunDiscovery(t *testing.T) {
	f := newFace(t)
	f.applied("prod")
	got := into[httpd.ClaimRow](f.do(http.MethodPost, "/v1/discovery/prod/run", nil), http.StatusAccepted)
	if got.Subject != (httpd.ClaimSubject{Kind: "run", Name: "prod"}) || got.Peer != "peer-a" || got.Token == 0 {
		t.Fatalf("claim is %+v", got)
	}
	r := f.do(http.MethodPost, "/v1/discovery/prod/run", nil).refuses(http.StatusConflict, fsm.CodeClaimed)
	if diff := cmp.Diff(&got, r.Error.Claim); diff != "" {
		t.Errorf("the claim in the way (-want +got):\n%s", diff)
	}
	f.do(http.MethodPost, "/v1/discovery/nobody/run", nil).refuses(http.StatusNotFound, fsm.CodeNotFound)
}

func TestRelease(t *testing.T) {
	f := newFace(t)
	d := f.applied("prod")
	f.do(http.MethodPost, "/v1/discovery/prod/release", `{"held": "hh"}`).refuses(http.StatusConflict, fsm.CodeConflict)
	claim := f.apply(&fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "p1", TTL: fsm.Minute, IDs: []uint64{d.ID}}).Claim
	f.apply(&fsm.RunComplete{Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Outcome: &fsm.RunOutcome{
		Held: &fsm.Held{Hash: "hh", Nodes: []fsm.NodeRef{{Cluster: "c", Node: "n"}}, Count: 1, Owned: 1},
	}})
	f.do(http.MethodPost, "/v1/discovery/prod/release", `{"held": "other"}`).refuses(http.StatusConflict, fsm.CodeConflict)
	f.do(http.MethodPost, "/v1/discovery/prod/release", `{}`).blames("held")
	f.do(http.MethodPost, "/v1/discovery/nobody/release", `{"held": "hh"}`).refuses(http.StatusNotFound, fsm.CodeNotFound)
	for _, changed := range []bool{true, false} {
		got := into[httpd.Ack](f.do(http.MethodPost, "/v1/discovery/prod/release", `{"held": "hh"}`), http.StatusOK)
		if got.Changed != changed || !f.state.Read().Discovery("prod").Held.Released {
			t.Fatalf("ack is %+v", got)
		}
	}
}

func TestPreview(t *testing.T) {
	f := newFace(t)
	f.applied("prod")
	f.preview = func(_ context.Context, name string, s fsm.Spec) (httpd.Preview, error) {
		return httpd.Preview{Records: 3, Clusters: 1, Added: []httpd.PreviewNode{{Cluster: name, Node: s.Interval.String()}}}, nil
	}
	got := into[httpd.Preview](f.do(http.MethodPost, "/v1/discovery/prod/preview", nil), http.StatusOK)
	want := httpd.Preview{
		Records: 3, Clusters: 1, Added: []httpd.PreviewNode{{Cluster: "prod", Node: "1m"}},
		Changed: []httpd.PreviewNode{}, Absent: []fsm.NodeRef{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	got = into[httpd.Preview](f.do(http.MethodPost, "/v1/discoveries/preview", `{"name": "x", "backend": "file", "interval": "7m"}`), http.StatusOK)
	want.Added = []httpd.PreviewNode{{Cluster: "x", Node: "7m"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
	f.do(http.MethodPost, "/v1/discovery/nobody/preview", nil).refuses(http.StatusNotFound, fsm.CodeNotFound)
	if f.state.Read().Discovery("x") != nil {
		t.Error("a preview was stored")
	}
}

func TestPutSettings(t *testing.T) {
	f := newFace(t)
	ack := into[httpd.Ack](f.do(http.MethodPut, "/v1/settings", `{"voters": 3, "vars": {"b": 1, "a": 2}}`), http.StatusOK)
	got := into[fsm.Settings](f.get("/v1/settings"), http.StatusOK)
	want := fsm.DefaultSettings()
	want.Voters, want.Vars, want.Index = 3, `{"a":2,"b":1}`, ack.Index
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	again := into[httpd.Ack](f.do(http.MethodPut, "/v1/settings?cas=1", f.get("/v1/settings").Body.String()), http.StatusOK)
	if again != (httpd.Ack{Index: ack.Index}) {
		t.Errorf("what a GET shows, PUT back, is answered %+v", again)
	}
	f.do(http.MethodPut, "/v1/settings?cas=1", `{"voters": 5}`).refuses(http.StatusPreconditionFailed, fsm.CodeCAS)
	f.do(http.MethodPut, "/v1/settings", `{"voters": 4}`).blames("voters")
	f.do(http.MethodPut, "/v1/settings", `{"vars": [1]}`).blames("vars")
	f.do(http.MethodPut, "/v1/settings", `{"retention": {"events": 1}}`).blames("retention.events")
}
