package httpd_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// clientOf asks a face with a token.
func (f *face) clientOf(t *testing.T, secret string) *httpd.Client {
	t.Helper()
	c, err := httpd.NewClient(httpd.ClientConfig{
		Address: "127.0.0.1:8650", Token: secret, HTTP: &http.Client{Transport: &through{Handler: f.server.Handler()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBootstrapOnceWithProof(t *testing.T) {
	f := newFace(t, func(c *httpd.Config) { c.ACL = true })
	nobody := f.clientOf(t, "")
	if a := f.get("/v1/clusters"); !strings.Contains(a.Body.String(), "muster acl bootstrap") {
		t.Errorf("nobody is told how to begin: %s", a.Body)
	}
	f.proof = "proof"
	for _, wrong := range []string{"", "prooF"} {
		f.do("PUT", "/v1/acl/bootstrap", httpd.Bootstrap{Proof: wrong}).refuses(http.StatusForbidden, fsm.CodeForbidden)
	}
	first, err := nobody.Bootstrap(t.Context(), httpd.Bootstrap{Proof: "proof"})
	if err != nil || first.Secret == "" || f.proof != "" {
		t.Fatalf("it is answered with %+v, %v; the proof is %q", first, err, f.proof)
	}
	if diff := cmp.Diff([]fsm.Right{fsm.MayManage, fsm.MaySnapshot}, first.Roles); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	f.proof = "proof"
	second := f.do("PUT", "/v1/acl/bootstrap", httpd.Bootstrap{Proof: "proof"}).refuses(http.StatusConflict, fsm.CodeConflict)
	if at := second.Error.Fields["index"]; !strings.Contains(second.Error.Message, "acl-reset -data-dir DIR -index "+at) {
		t.Errorf("a second one is told %+v", second.Error)
	}
	if _, err := nobody.Bootstrap(t.Context(), httpd.Bootstrap{Proof: "proof", Index: first.Index}); err != nil {
		t.Errorf("with the index it is answered with %v", err)
	}
	own, _, err := f.clientOf(t, first.Secret).OwnToken(t.Context(), httpd.Read{})
	if err != nil || own.Accessor != first.Accessor {
		t.Errorf("the first token is %+v, %v", own, err)
	}
}

// TestTokensLiveOverHTTP makes a token, uses it, and takes it away. Its secret is told once.
func TestTokensLiveOverHTTP(t *testing.T) {
	f := guarded(t)
	manager := f.clientOf(t, "manage")
	made, err := manager.CreateToken(t.Context(), httpd.NewToken{
		Roles: []fsm.Right{fsm.MayManage}, Description: "for ci", TTL: fsm.Minute,
	})
	if err != nil || made.Expires != f.Now().Add(fsm.Minute)-1000 { // which the write took
		t.Fatalf("it is answered with %+v, %v", made, err)
	}
	if e := f.lastEvent(); e.Type != fsm.TokenCreated || e.Cause.Accessor != "of-manage" || e.Cause.Address != "192.0.2.9" {
		t.Errorf("the event is %+v", e)
	}
	ci := f.clientOf(t, made.Secret)
	if _, err := ci.PutSettings(t.Context(), map[string]any{"voters": 3}, nil); err != nil {
		t.Fatal(err)
	}
	if e := f.lastEvent(); e.Cause.Accessor != made.Accessor {
		t.Errorf("its write is caused by %+v", e.Cause)
	}
	rows, err := manager.Tokens(t.Context(), httpd.List{Filter: `"manage" in roles and description matches "ci"`})
	if err != nil || len(rows.Rows) != 1 || rows.Rows[0].Accessor != made.Accessor {
		t.Errorf("the list is %+v, %v", rows, err)
	}
	if one, _, err := manager.Token(t.Context(), made.Accessor, httpd.Read{}); err != nil || one.Description != "for ci" {
		t.Errorf("it is shown as %+v, %v", one, err)
	}
	for _, path := range []string{"/v1/acl/tokens", "/v1/acl/token/" + made.Accessor, "/v1/events"} {
		body := f.get(path, "X-Muster-Token", "manage").Body.String()
		if strings.Contains(body, made.Secret) || strings.Contains(strings.ToLower(body), "hash") {
			t.Errorf("%s tells what proves the token: %s", path, body)
		}
	}
	f.do("DELETE", "/v1/acl/token/"+made.Accessor, nil, "X-Muster-Token", made.Secret).refuses(http.StatusConflict, fsm.CodeConflict)
	for _, changed := range []bool{true, false} {
		if ack, err := manager.DeleteToken(t.Context(), made.Accessor); err != nil || ack.Changed != changed || ack.Index == 0 {
			t.Errorf("deleting it is answered with %+v, %v", ack, err)
		}
	}
	if _, err := ci.Self(t.Context()); err == nil {
		t.Error("a deleted token is good")
	}
}

func TestBadTokensAreNotMade(t *testing.T) {
	f := guarded(t)
	for field, body := range map[string]string{
		"roles": `{"roles": ["root"]}`, "ttl": `{"roles": ["read"], "ttl": "10ms"}`,
		"description": `{"roles": ["read"], "description": "a\u0007"}`,
	} {
		f.do("PUT", "/v1/acl/token", body, "X-Muster-Token", "manage").blames(field)
	}
}

// running is a clock that goes on from beyond what the log of these tests has seen.
type running struct{ began time.Time }

func (r running) Now() fsm.Time {
	return start + 100_000 + fsm.Time(time.Since(r.began).Milliseconds())
}

// TestWhoWaitsEndsWithHisToken checks that streams and blocking reads end when their token is deleted or expires, which is between
// two heartbeats, and that those of other tokens go on.
func TestWhoWaitsEndsWithHisToken(t *testing.T) {
	for name, ends := range map[string]func(f *face){
		"deleted": func(f *face) { f.apply(&fsm.TokenDelete{Accessors: []string{"of-guest"}}) },
		"expired": func(*face) { <-time.After(50*time.Second + 2*time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := running{time.Now()}
				f := guarded(t, func(c *httpd.Config) { c.Clock = clock })
				f.apply(&fsm.TokenCreate{Token: tokenFor("guest", clock.Now()+50_000, fsm.MayRead)})
				f.voters(3)
				follow := func(secret string) *follower {
					return f.followed(t, "/v1/events/follow?after=now", "X-Muster-Token", secret)
				}
				path := past("/v1/settings", f.state.Read().Wait(fsm.SetSettings).Index) + "&wait=8m"
				guest, other := follow("guest"), follow("read")
				read := f.blocked(t.Context(), t, path, "X-Muster-Token", "guest")
				others := f.blocked(t.Context(), t, path, "X-Muster-Token", "read")
				go func() { _, _ = io.Copy(io.Discard, other.from) }()
				began, end := time.Now(), make(chan said)
				go func() {
					s := guest.next()
					for s.Type != "end" {
						s = guest.next()
					}
					end <- s
				}()
				ends(f)
				read.answer().refuses(http.StatusForbidden, fsm.CodeForbidden)
				if last := <-end; last.Error == nil || last.Error.Code != fsm.CodeForbidden {
					t.Errorf("the stream ends with %+v", last)
				}
				if took := time.Since(began); took > 51*time.Second {
					t.Errorf("it took %s", took)
				}
				select {
				case <-other.ended:
					t.Error("the stream of another token ended")
				default:
				}
				if others.over() {
					t.Errorf("the read of another token ended: %s", others.w.Body)
				}
				f.voters(5)
				others.answer()
			})
		})
	}
}
