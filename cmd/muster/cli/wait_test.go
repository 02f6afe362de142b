package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/musterhq/muster/cmd/muster/cli"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// errand is a peer that grants a claim and is done with it at the second look.
func errand(t *testing.T, path string, subject httpd.ClaimSubject) *api {
	a := newAPI(t)
	claim := httpd.ClaimRow{Subject: subject, Token: 88, Peer: "peer-b", Granted: ago(0), Reason: fsm.WhyAsked}
	a.do("POST", path, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusAccepted, claim) })
	a.do("GET", "/v1/claims", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("index") == "" {
			w.Header().Set("X-Muster-Index", "50")
			reply(w, http.StatusOK, []httpd.ClaimRow{claim, {Subject: httpd.ClaimSubject{Kind: "refresh", Name: "other"}, Token: 88}})
			return
		}
		w.Header().Set("X-Muster-Index", "51")
		reply(w, http.StatusOK, []httpd.ClaimRow{{Subject: httpd.ClaimSubject{Kind: "refresh", Name: "other"}, Token: 88}})
	})
	caused := events()[4:9]
	for i := range caused {
		caused[i].Seq, caused[i].Time, caused[i].Cause = uint64(i+1), ago(0), fsm.Cause{Kind: fsm.CauseRefresh, Token: 88}
	}
	caused[1].Cause.Token = 87 // somebody else's
	return a.do("GET", "/v1/events", pages(caused))
}

func TestRefreshWaitsAndTellsWhatChanged(t *testing.T) {
	for name, last := range map[string]fsm.Work{
		"changed":    {At: ago(0), Peer: "peer-b", Took: 14, Outcome: fsm.OutcomeChanged},
		"failed":     {At: ago(0), Peer: "peer-b", Took: 14, Outcome: fsm.OutcomeFailed, Error: "consul does not answer"},
		"given_back": {At: ago(0), Peer: "peer-b", Outcome: fsm.OutcomeGivenBack, Error: "the peer is stopping"},
		"called_off": {At: ago(9e9), Peer: "peer-b", Outcome: fsm.OutcomeUnchanged},
	} {
		a := errand(t, "/v1/cluster/orders/refresh", httpd.ClaimSubject{Kind: "refresh", Name: "orders"})
		detail := orders()
		detail.LastRefresh = last
		a.on("GET", "/v1/cluster/orders", detail)
		args := []string{"cluster", "refresh", "orders"}
		golden(t, "refresh_"+name, shown(args, run{}.do(t, a, args...)))
		want := "GET /v1/claims?filter=token+%3D%3D+88&index=50&limit=1000&wait=20s"
		if got := a.requests()[2].line; got != want {
			t.Errorf("%s: waited with %s, want %s", name, got, want)
		}
	}
}

func TestRunWaitsAndTellsItsOutcome(t *testing.T) {
	for name, last := range map[string]fsm.Work{
		"good": {At: ago(0), Peer: "peer-b", Took: 120, Outcome: fsm.OutcomeUnchanged, Records: 42},
		"held": {At: ago(0), Peer: "peer-b", Took: 120, Outcome: fsm.OutcomeHeld, Records: 3},
	} {
		a := errand(t, "/v1/discovery/prod/run", httpd.ClaimSubject{Kind: "run", Name: "prod"})
		row := discoveries()[3]
		row.LastRun = last
		a.on("GET", "/v1/discovery/prod", row)
		args := []string{"discovery", "run", "prod"}
		golden(t, "run_"+name, shown(args, run{}.do(t, a, args...)))
	}
}

func TestDetachedWorkIsNotWaitedFor(t *testing.T) {
	for _, c := range []struct{ path, args string }{
		{"/v1/cluster/orders/refresh", "cluster refresh -detach orders"}, {"/v1/discovery/prod/run", "discovery run -detach prod"},
	} {
		a := errand(t, c.path, httpd.ClaimSubject{})
		if r := (run{}).do(t, a, strings.Fields(c.args)...); r.code != 0 || len(a.requests()) != 1 {
			t.Errorf("%s: exit %d, asked %v", c.args, r.code, a.requests())
		}
	}
}

func TestPreview(t *testing.T) {
	found := httpd.Preview{
		Records: 12, Clusters: 3,
		Added:   []httpd.PreviewNode{{Cluster: "orders", Node: "orders-6", Address: "10.0.0.6", Port: 8655, Source: "consul:orders"}},
		Changed: []httpd.PreviewNode{{Cluster: "orders", Node: "orders-1", Address: "10.0.0.9", Port: 8655, Labels: map[string]string{"rack": "r8"}}},
		Absent:  []fsm.NodeRef{{Cluster: "orders", Node: "orders-5"}}, Held: httpd.Held{Count: 1, Owned: 12},
	}
	a := newAPI(t).on("POST", "/v1/discovery/prod/preview", found).on("POST", "/v1/discoveries/preview", found)
	args := []string{"discovery", "preview", "prod"}
	golden(t, "discovery_preview", shown(args, run{}.do(t, a, args...)))
	posted := `{"name": "lab", "backend": "file", "config": {"files": ["/x"]}, "index": 7}`
	if r := (run{in: posted}).do(t, a, "discovery", "preview", "-file", "-"); r.code != 0 {
		t.Fatalf("exit %d, %s", r.code, r.err)
	}
	if got, want := a.requests()[1].body, `{"name":"lab","backend":"file","config":{"files":["/x"]}}`; got != want {
		t.Errorf("posted %s, want %s", got, want)
	}
}

// following is a peer that sends events and then nothing.
func following(t *testing.T, all []httpd.Event) *api {
	a := newAPI(t).on("GET", "/v1/agent/self", self())
	return a.do("GET", "/v1/events/follow", func(w http.ResponseWriter, r *http.Request) {
		for _, e := range all {
			e.Cursor = fmt.Sprintf("e1:%d", e.Seq)
			_ = json.NewEncoder(w).Encode(e)
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
}

// follow runs a command that does not end by itself until it has written so many lines, and interrupts it.
func follow(t *testing.T, a *api, lines int, args ...string) result {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	seen, out := io.Pipe()
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		scan := bufio.NewScanner(seen)
		for n := 0; scan.Scan(); {
			if n++; n == lines {
				interrupt()
			}
		}
	}()
	r := run{ctx: ctx, out: out}.do(t, a, args...)
	_ = out.Close()
	<-counted
	return r
}

func TestFollowWritesALineForEachEventAndEndsWell(t *testing.T) {
	all := events()
	a := following(t, all)
	args := []string{"event", "follow", "-type", "node.*", "-cluster", "orders"}
	golden(t, "event_follow", shown(args, follow(t, a, len(all), args...)))
	if got, want := a.requests()[1].line, "GET /v1/events/follow?after=now&cluster=orders&type=node.%2A"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	r := follow(t, a, len(all), "event", "follow", "-since", "10m", "-format=json")
	if lines := strings.Count(r.out, "\n"); lines != len(all) || r.code != 0 {
		t.Errorf("%d lines of JSON for %d events, exit %d", lines, len(all), r.code)
	}
}

func TestFollowEndsWhenEventsAreGone(t *testing.T) {
	a := newAPI(t).on("GET", "/v1/agent/self", self())
	a.fail("GET", "/v1/events/follow", 410, map[string]any{
		"code": "gone", "message": "events after e1:1 are no longer kept", "fields": map[string]string{"oldest": "e1:50"},
	})
	r := run{}.do(t, a, "event", "follow", "-after", "e1:1")
	if r.code != 1 || !strings.Contains(r.err, "no longer kept") || !strings.Contains(r.err, "-after e1:50") {
		t.Errorf("exit %d, stderr %q", r.code, r.err)
	}
	if r := (run{}).do(t, nil, "event", "follow"); r.code != 1 || !strings.Contains(r.err, "no peer answers") {
		t.Errorf("without a peer: exit %d, stderr %q", r.code, r.err)
	}
}

func TestWatchShowsWhatChangedAgain(t *testing.T) {
	a := newAPI(t)
	a.do("GET", "/v1/clusters", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("index") {
		case "":
			w.Header().Set("X-Muster-Index", "50")
			reply(w, http.StatusOK, clusters()[:1])
		case "50":
			w.Header().Set("X-Muster-Index", "51")
			reply(w, http.StatusOK, clusters()[:2])
		default:
			<-r.Context().Done()
		}
	})
	r := follow(t, a, 8, "cluster", "watch")
	if r.code != 0 || strings.Count(r.out, "billing") != 2 || strings.Count(r.out, "caches") != 1 {
		t.Errorf("exit %d, stderr %q, out:\n%s", r.code, r.err, r.out)
	}
}

func TestEveryKnownTypeHasAStory(t *testing.T) {
	generic := map[fsm.EventType]bool{
		fsm.ClusterSettingsChanged: true, fsm.NodeSettingsChanged: true, fsm.NodeChanged: true, fsm.NodeInfoChanged: true,
		fsm.NodeAttributeMuted: true, fsm.SettingsChanged: true,
	}
	for _, e := range events() {
		if !cli.Told(e.Type) && !generic[e.Type] && e.Type != "node.moon_phase" {
			t.Errorf("%s is told by its differences", e.Type)
		}
		for _, broken := range []json.RawMessage{nil, json.RawMessage("null"), json.RawMessage(`[1]`), json.RawMessage(`{"reach":7}`)} {
			e.Before, e.After = broken, broken
			_ = cli.Story(&e) // must not fail on what a newer release tells
		}
	}
}
