package httpd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// guarded is a face with ACLs on and a token of each role, whose secret is its role's name; "old" has expired.
func guarded(t *testing.T, change ...func(*httpd.Config)) *face {
	t.Helper()
	f := newFace(t, append(change, func(c *httpd.Config) { c.ACL = true })...)
	f.restore = func(io.Reader, fsm.Cause) (httpd.Restored, error) { return httpd.Restored{}, nil }
	f.apply(&fsm.TokenBootstrap{Token: tokenFor("first", 0, fsm.MayManage)})
	for _, r := range fsm.Rights {
		f.apply(&fsm.TokenCreate{Token: tokenFor(string(r), 0, r)})
	}
	f.apply(&fsm.TokenCreate{Token: tokenFor("old", f.now+2000, fsm.Rights...)})
	f.apply(&fsm.OperatorAct{Action: "time passes"})
	f.apply(&fsm.OperatorAct{Action: "time passes"})
	return f
}

func tokenFor(secret string, expires fsm.Time, rights ...fsm.Right) fsm.Token {
	return fsm.Token{Accessor: "of-" + secret, Hash: fsm.HashSecret(secret), Rights: rights, Expires: expires}
}

// weaker is a token that does not suffice where a right is needed.
var weaker = map[fsm.Right]string{
	fsm.MayRead: "snapshot", fsm.MayOperate: "read", fsm.MayManage: "operate", fsm.MaySnapshot: "manage",
}

// roles is what each endpoint needs; GETs that are not named need read.
var roles = map[string]fsm.Right{
	"GET /livez": "public", "GET /readyz": "public", "PUT /v1/acl/bootstrap": "public",
	"GET /v1/acl/token/self": "anybody", "GET /v1/acl/tokens": "manage", "PUT /v1/acl/token": "manage",
	"GET /v1/acl/token/{accessor}": "manage", "DELETE /v1/acl/token/{accessor}": "manage",
	"GET /v1/snapshot": "snapshot", "PUT /v1/snapshot": "manage",
	"PATCH /v1/cluster/{name}": "manage", "DELETE /v1/cluster/{name}": "manage", "PATCH /v1/cluster/{name}/node/{id}": "manage",
	"POST /v1/nodes/transition": "operate", "POST /v1/cluster/{name}/refresh": "operate", "GET /v1/cluster/{name}/live": "operate",
	"PUT /v1/discovery/{name}": "manage", "DELETE /v1/discovery/{name}": "manage", "POST /v1/discoveries/preview": "manage",
	"POST /v1/discovery/{name}/run": "operate", "POST /v1/discovery/{name}/preview": "operate",
	"POST /v1/discovery/{name}/release": "operate", "PUT /v1/settings": "manage",
	"PUT /v1/settings/pause": "manage", "DELETE /v1/settings/pause": "manage",
	"PUT /v1/agent/join/{address}": "manage", "PUT /v1/agent/leave": "manage", "PUT /v1/agent/force-leave/{name}": "manage",
	"PUT /v1/agent/reload": "manage", "DELETE /v1/operator/raft/peer": "manage", "POST /v1/operator/raft/transfer-leader": "manage",
	"GET /v1/operator/keyring": "manage", "POST /v1/operator/keyring": "manage", "PUT /v1/operator/keyring": "manage",
	"DELETE /v1/operator/keyring": "manage",
	"GET /debug/pprof/":           "manage", "GET /debug/pprof/profile": "manage", "GET /debug/pprof/trace": "manage",
	"GET /debug/pprof/{name}": "manage",
	"GET /v1/openapi.json":    "anybody", "GET /v1/agent/monitor": "operate",
	"GET /v1/agent/configuration": "operate",
}

// TestEveryRouteAsksForItsRole goes through all routes with no token, and with wrong, expired, weak and right ones.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	f := guarded(t, func(c *httpd.Config) { c.Debug = true })
	needs := f.server.Needs()
	for route, need := range needs {
		want, named := roles[route]
		if !named && strings.HasPrefix(route, "GET ") {
			want = fsm.MayRead
		}
		if need != want {
			t.Errorf("%s needs %q, not %q", route, need, want)
		}
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{name}", "heap", "{id}", "n", "{address}", "h:1", "{accessor}", "of-old").Replace(path)
		ask := func(secret, query string) int {
			// What is let in sees that nobody waits for it.
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			req := httptest.NewRequestWithContext(ctx, method, path+query, nil)
			if secret != "" {
				req.Header.Set("X-Muster-Token", secret)
			}
			w := httptest.NewRecorder()
			f.server.Handler().ServeHTTP(w, req)
			return w.Code
		}
		refused := map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusForbidden, "old": http.StatusForbidden}
		right := string(need)
		switch need {
		case "public":
			refused, right = nil, ""
		case "anybody":
			right = "snapshot"
		default:
			refused[weaker[need]] = http.StatusForbidden
		}
		for secret, status := range refused {
			if got := ask(secret, ""); got != status {
				t.Errorf("%s with the token %q is answered %d, not %d", route, secret, got, status)
			}
		}
		if got := ask("", "?token="+right); got != http.StatusBadRequest {
			t.Errorf("%s with a token in the URL is answered %d", route, got)
		}
		if route == "DELETE /v1/acl/token/{accessor}" {
			continue // it would take the expired one away
		}
		if got := ask(right, ""); got == http.StatusUnauthorized || got == http.StatusForbidden && need != "public" {
			t.Errorf("%s with the right token is answered %d", route, got)
		}
	}
	for route := range roles {
		if _, there := needs[route]; !there {
			t.Errorf("there is no %s", route)
		}
	}
}

func TestTokensComeInHeaders(t *testing.T) {
	f := guarded(t)
	for _, header := range [][]string{
		{"X-Muster-Token", "read"},
		{"Authorization", "Bearer read"},
		{"Authorization", "bearer  read"},
		{"X-Muster-Token", "read", "Authorization", "Bearer read"},
	} {
		if a := f.get("/v1/clusters", header...); a.Code != http.StatusOK {
			t.Errorf("%q is answered with %d: %s", header, a.Code, a.Body)
		}
	}
	f.get("/v1/clusters", "X-Muster-Token", "read", "Authorization", "Bearer manage").blames("X-Muster-Token")
	for _, header := range [][]string{nil, {"Authorization", "Basic cmVhZDo="}, {"Authorization", "s3cret"}} {
		a := f.get("/v1/clusters", header...)
		if strings.Contains(a.Body.String(), "s3cret") {
			t.Errorf("what was sent is told again: %s", a.Body)
		}
		a.refuses(http.StatusUnauthorized, httpd.CodeUnauthorized)
		if !strings.HasPrefix(a.Header().Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%q is not told how: %v", header, a.Header())
		}
	}
}

// TestRefusalsSayWhatToDo checks what is told, to who asks and in the log, and that neither holds what was sent.
func TestRefusalsSayWhatToDo(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	f := guarded(t, func(c *httpd.Config) {
		c.Logger, c.Registerer = slog.New(slog.NewTextHandler(&log, nil)), reg
	})
	for secret, says := range map[string]string{
		"":        "a token with the role manage: send it as X-Muster-Token or Authorization: Bearer; muster takes it from -token-file",
		"guessed": "there is no such token",
		"old":     "the token of-old expired at ",
		"read":    "this needs the role manage; the token of-read has read",
	} {
		for range 3 {
			a := f.do("PUT", "/v1/settings", "{}", "X-Muster-Token", secret)
			if !strings.Contains(a.Body.String(), says) || strings.Contains(a.Body.String(), "guessed") {
				t.Errorf("%q is told %s", secret, a.Body)
			}
		}
	}
	if n := strings.Count(log.String(), "request refused"); n != 1 || strings.Contains(log.String(), "guessed") {
		t.Errorf("the log has %d lines:\n%s", n, &log)
	}
	reasons := []string{
		"rate", "host", "cross_origin", "waiting", "backups", "no_token", "unknown_token", "expired_token", "weak_token", "bootstrap",
		"conns", "conns_per_ip", "plain",
	}
	want := "# TYPE muster_http_refused_total counter\n# HELP muster_http_refused_total Requests refused before their handler, " +
		"and connections, by reason: " + strings.Join(reasons, ", ") + ".\n"
	for _, reason := range reasons {
		n := 0
		if strings.HasSuffix(reason, "_token") {
			n = 3
		}
		want += fmt.Sprintf("muster_http_refused_total{reason=%q} %d\n", reason, n)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "muster_http_refused_total"); err != nil {
		t.Error(err)
	}
}

// TestTokensMadeElsewhere asks a peer that has not got a token yet: the leader knows it. Without a leader it is not known.
func TestTokensMadeElsewhere(t *testing.T) {
	f := guarded(t)
	f.behind = f.state.Read()
	f.apply(&fsm.TokenCreate{Token: tokenFor("young", 0, fsm.MayRead)})
	if a := f.get("/v1/agent/self", "X-Muster-Token", "young"); a.Code != http.StatusOK {
		t.Errorf("a token of another peer is answered with %d: %s", a.Code, a.Body)
	}
	f.noLeader = true
	f.get("/v1/agent/self", "X-Muster-Token", "young").refuses(http.StatusForbidden, fsm.CodeForbidden)
	if a := f.get("/v1/agent/self", "X-Muster-Token", "read"); a.Code != http.StatusOK {
		t.Errorf("a known token is answered with %d: %s", a.Code, a.Body)
	}
}

// TestTokensDoNoHarmWithoutACLs checks that a peer without ACLs takes any token, and makes none.
func TestTokensDoNoHarmWithoutACLs(t *testing.T) {
	f := newFace(t)
	if a := f.do("PUT", "/v1/settings", `{"voters": 3}`, "Authorization", "Basic x", "X-Muster-Token", "y"); a.Code != http.StatusOK {
		t.Errorf("it is answered with %d: %s", a.Code, a.Body)
	}
	if e := f.lastEvent(); e.Cause.Accessor != "" {
		t.Errorf("the event is caused by %+v", e.Cause)
	}
	f.proof = "p"
	f.do("PUT", "/v1/acl/bootstrap", httpd.Bootstrap{Proof: "p"}).refuses(http.StatusConflict, fsm.CodeConflict)
	f.do("PUT", "/v1/acl/token", httpd.NewToken{Roles: fsm.Rights}).refuses(http.StatusConflict, fsm.CodeConflict)
	f.get("/v1/acl/token/self").refuses(http.StatusConflict, fsm.CodeConflict)
}

// TestTokensComeOnce sends two tokens by one name, one of which somebody in between may have added.
func TestTokensComeOnce(t *testing.T) {
	f := guarded(t)
	for name, values := range map[string][]string{
		"X-Muster-Token": {"read", "manage"}, "Authorization": {"Bearer read", "Bearer manage"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/clusters", nil)
		req.Header[name] = values
		w := httptest.NewRecorder()
		f.server.Handler().ServeHTTP(w, req)
		answer{w, t}.blames(name)
	}
}

// TestWarningsAreForWhoMayRead asks whether a peer is well, which everybody may; what there is to look after not all are told.
func TestWarningsAreForWhoMayRead(t *testing.T) {
	f := guarded(t)
	f.warnings = []string{"ACLs are off on peer-b"}
	for secret, told := range map[string]int{"": 0, "wrong": 0, "old": 0, "snapshot": 0, "read": 1, "manage": 1} {
		for _, path := range []string{"/livez", "/readyz"} {
			if got := into[httpd.Readiness](f.get(path, "X-Muster-Token", secret), http.StatusOK); len(got.Warnings) != told {
				t.Errorf("%s tells who shows %q of %q", path, secret, got.Warnings)
			}
		}
		if got := ok[httpd.Readiness](t)(f.clientOf(t, secret).Ready(t.Context())); len(got.Warnings) != told {
			t.Errorf("the client of who shows %q tells of %q", secret, got.Warnings)
		}
	}
}

// TestDeletedTokensChangeNothing asks a peer that has not heard yet that a token was deleted: it may still read there what that
// peer answers alone, and changes nothing.
func TestDeletedTokensChangeNothing(t *testing.T) {
	f := guarded(t)
	f.behind = f.state.Read()
	f.apply(&fsm.TokenDelete{Accessors: []string{"of-manage"}})
	seq := f.state.Read().Meta().Seq
	for _, write := range []struct {
		method, path string
		body         any
	}{
		{"PUT", "/v1/settings", `{"voters": 3}`},
		{"PUT", "/v1/acl/token", httpd.NewToken{Roles: fsm.Rights}},
		{"DELETE", "/v1/acl/token/of-read", nil},
		{"PUT", "/v1/agent/leave", nil},
		{"DELETE", "/v1/operator/raft/peer?id=p1", nil},
	} {
		f.do(write.method, write.path, write.body, "X-Muster-Token", "manage").refuses(http.StatusForbidden, fsm.CodeForbidden)
	}
	req := httptest.NewRequestWithContext(t.Context(), "PUT", "/v1/snapshot", strings.NewReader("a backup"))
	req.Header.Set("Content-Type", "application/gzip")
	req.Header.Set("X-Muster-Token", "manage")
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(w, req)
	answer{w, t}.refuses(http.StatusForbidden, fsm.CodeForbidden)
	if now := f.state.Read().Meta().Seq; now != seq || len(f.acts) != 0 {
		t.Errorf("events %d to %d were made, and %q done", seq+1, now, f.acts)
	}
	if a := f.get("/v1/clusters?stale", "X-Muster-Token", "manage"); a.Code != http.StatusOK {
		t.Errorf("a stale read is answered with %d: %s", a.Code, a.Body)
	}
}

// TestRestoreEndsWithItsToken deletes a token while its backup arrives.
func TestRestoreEndsWithItsToken(t *testing.T) {
	f := guarded(t)
	whole := false
	f.restore = func(from io.Reader, _ fsm.Cause) (httpd.Restored, error) {
		_, err := io.ReadAll(from)
		if whole = err == nil; !whole {
			err = fsm.Invalid("body", "did not arrive: %s", err)
		}
		return httpd.Restored{}, err
	}
	last := func([]byte) (int, error) {
		f.apply(&fsm.TokenDelete{Accessors: []string{"of-manage"}})
		return 0, io.EOF
	}
	req := httptest.NewRequestWithContext(t.Context(), "PUT", "/v1/snapshot", io.MultiReader(strings.NewReader("a backup"), reading(last)))
	req.Header.Set("Content-Type", "application/gzip")
	req.Header.Set("X-Muster-Token", "manage")
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(w, req)
	answer{w, t}.refuses(http.StatusForbidden, fsm.CodeForbidden)
	if whole {
		t.Error("the backup is taken")
	}
}

type reading func([]byte) (int, error)

func (r reading) Read(p []byte) (int, error) { return r(p) }

// A token may end in thousands of years: who waits for that does not look every millisecond.
func TestTheEndOfATokenMayBeFar(t *testing.T) {
	const now = fsm.Time(1_700_000_000_000)
	for _, c := range []struct {
		expires fsm.Time
		want    time.Duration
	}{
		{now - 5, time.Millisecond},
		{now, time.Millisecond},
		{now + 1500, 1501 * time.Millisecond},
		{math.MaxInt64, 24*time.Hour + time.Millisecond},
		{fsm.Time(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()), 24*time.Hour + time.Millisecond},
	} {
		if got := httpd.LapseIn(c.expires, now); got != c.want {
			t.Errorf("of one that ends at %d it is %s, want %s", c.expires, got, c.want)
		}
	}
}
