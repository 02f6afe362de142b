package peerport_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/peerport"
)

// TestWhoIsNoMemberMayOnlyKnock has a peer that the other does not count among its group: it may ask what is open, nothing
// else, and open no stream of raft.
func TestWhoIsNoMemberMayOnlyKnock(t *testing.T) {
	w := loopback()
	a, z := w.start(t, "a", nil), w.start(t, "z", nil)
	b := w.start(t, "b", func(c *peerport.Config) {
		c.Member, c.Open = func(id string) bool { return id == "a" }, []string{"/join"}
		c.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	})
	b.echo(t)
	exchange(t, a.dialStream(t, "b"), "hello")
	for _, path := range []string{"/join", "/propose"} {
		if got := ask(t, a, peerport.Request{Peer: "b", Path: path}); got != path {
			t.Errorf("a member is answered %q at %s", got, path)
		}
	}
	if got := ask(t, z, peerport.Request{Peer: "b", Path: "/join"}); got != "/join" {
		t.Errorf("a joiner is answered %q", got)
	}
	refused := func(what string, err error) {
		t.Helper()
		var e *peerport.RefusedError
		if !errors.As(err, &e) || e.Reason != peerport.NotMember {
			t.Errorf("%s: %v, want a refusal as no member", what, err)
		}
	}
	for _, path := range []string{"/propose", "/join/", "//join", "/join/../propose"} {
		_, err := z.Client().Do(t.Context(), peerport.Request{Peer: "b", Path: path})
		refused(path, err)
	}
	_, err := z.Streams().Dial("b", time.Minute)
	refused("stream", err)
}
