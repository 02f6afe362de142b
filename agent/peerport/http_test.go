package peerport_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/peerport"
)

func serving(h http.HandlerFunc) func(*peerport.Config) {
	return func(cfg *peerport.Config) { cfg.Handler = h }
}

func ask(t *testing.T, p *peer, r peerport.Request) string {
	t.Helper()
	body, err := p.Client().Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestDo(t *testing.T) {
	w := loopback()
	a := w.start(t, "a", nil)
	w.start(t, "b", serving(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		caller, ok := peerport.CallerOf(r.Context())
		if diff := cmp.Diff(peerport.Caller{ID: "a", Group: "g", Hop: 1}, caller); !ok || diff != "" {
			t.Errorf("caller: %t %s", ok, diff)
		}
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+string(body))
	}))
	for want, r := range map[string]peerport.Request{
		"GET /status?x=y ":   {Peer: "b", Path: "/status?x=y"},
		"POST /propose body": {Peer: "b", Path: "/propose", Body: []byte("body")},
		"PUT /a%2Fb body":    {Peer: "b", Method: "PUT", Path: "/a%2Fb", Body: []byte("body")},
	} {
		if diff := cmp.Diff(want, ask(t, a, r)); diff != "" {
			t.Error(diff)
		}
	}
	if n := a.count(t, "dials_total", "ok"); n != 1 {
		t.Errorf("%v connections for three requests, want 1", n)
	}
}

func TestDoErrors(t *testing.T) {
	w := loopback()
	a := w.start(t, "a", func(cfg *peerport.Config) { cfg.MaxResponse = 10 })
	w.start(t, "b", serving(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ten":
			io.WriteString(w, strings.Repeat("x", 10))
		case "/eleven":
			io.WriteString(w, strings.Repeat("x", 11))
		case "/gone":
			panic(http.ErrAbortHandler)
		default:
			http.Error(w, "no", http.StatusConflict)
		}
	}))
	gone := w.listen(t)
	w.move("gone", gone.Addr().String())
	gone.Close()

	ask(t, a, peerport.Request{Peer: "b", Path: "/ten"})
	for name, c := range map[string]struct {
		request peerport.Request
		is      error
		notSent bool
	}{
		"too large":    {peerport.Request{Peer: "b", Path: "/eleven"}, peerport.ErrTooLarge, false},
		"cut off":      {peerport.Request{Peer: "b", Path: "/gone", Body: []byte("x")}, io.EOF, false},
		"unknown peer": {peerport.Request{Peer: "nobody", Path: "/"}, peerport.ErrUnknownPeer, true},
		"unreachable":  {peerport.Request{Peer: "gone", Path: "/"}, nil, true},
		"bad path":     {peerport.Request{Peer: "b", Path: "status"}, nil, false},
		"bad peer":     {peerport.Request{Peer: "b:80/x", Path: "/"}, nil, false},
	} {
		_, err := a.Client().Do(t.Context(), c.request)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || peerport.NotSent(err) != c.notSent {
			t.Errorf("%s: %v, want %v, not sent %t", name, err, c.is, c.notSent)
		}
	}
	_, err := a.Client().Do(t.Context(), peerport.Request{Peer: "b", Path: "/refuse"})
	var status *peerport.StatusError
	if !errors.As(err, &status) {
		t.Fatalf("%v, want a StatusError", err)
	}
	want := &peerport.StatusError{Peer: "b", Method: "GET", Path: "/refuse", Status: 409, Body: []byte("no\n")}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Error(diff)
	}
}

func TestRequestsJudged(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		path     string
		owner    string
		groups   [2]string // of the caller and of who answers
		want     peerport.Reason
	}{
		"same group":              {from: "a", to: "b", path: "/", owner: "b", groups: [2]string{"g", "g"}},
		"caller has none":         {from: "a", to: "b", path: "/", owner: "b", groups: [2]string{"", "g"}},
		"answerer has none":       {from: "a", to: "b", path: "/", owner: "b", groups: [2]string{"g", ""}},
		"joiner without a group":  {from: "a", to: "b", path: "/join", owner: "b", groups: [2]string{"", "g"}},
		"joiner of another group": {from: "a", to: "b", path: "/join", owner: "b", groups: [2]string{"h", "g"}, want: peerport.WrongGroup},
		"another group":           {from: "a", to: "b", path: "/", owner: "b", groups: [2]string{"h", "g"}, want: peerport.WrongGroup},
		"address of another peer": {from: "a", to: "b", path: "/", owner: "c", groups: [2]string{"g", "g"}, want: peerport.WrongPeer},
		"two peers with one id":   {from: "a", to: "b", path: "/", owner: "a", groups: [2]string{"g", "g"}, want: peerport.DuplicateID},
	} {
		t.Run(name, func(t *testing.T) {
			w := loopback()
			caller := w.start(t, c.from, func(cfg *peerport.Config) { cfg.Group = group(c.groups[0]) })
			var served atomic.Int32
			owner := w.start(t, c.owner, func(cfg *peerport.Config) {
				cfg.Group = group(c.groups[1])
				cfg.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) })
			})
			addr, _ := w.resolve(c.owner)
			w.move(c.to, addr)
			_, err := caller.Client().Do(t.Context(), peerport.Request{Peer: c.to, Path: c.path})
			if c.want == 0 {
				if err != nil || served.Load() != 1 {
					t.Errorf("%v, served %d times", err, served.Load())
				}
				return
			}
			var refused *peerport.RefusedError
			if !errors.As(err, &refused) || !peerport.NotSent(err) || served.Load() != 0 {
				t.Fatalf("%v, served %d times, want a refusal", err, served.Load())
			}
			want := &peerport.RefusedError{
				Reason: c.want, From: c.from, Group: c.groups[0], To: c.to, Peer: c.owner, PeerGroup: c.groups[1],
			}
			if diff := cmp.Diff(want, refused); diff != "" {
				t.Error(diff)
			}
			if n := owner.count(t, "refused_total", c.want.String()); n != 1 {
				t.Errorf("%v refusals counted, want 1", n)
			}
		})
	}
}

// After a refusal the next request looks the peer up again.
func TestRequestFindsAPeerThatMoved(t *testing.T) {
	w := loopback()
	a := w.start(t, "a", nil)
	name := func(id string) func(*peerport.Config) {
		return serving(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, id) })
	}
	w.start(t, "b", name("b"))
	w.start(t, "c", name("c"))
	moved, _ := w.resolve("b")
	stale, _ := w.resolve("c")
	w.move("b", stale)
	request := peerport.Request{Peer: "b", Path: "/"}
	if _, err := a.Client().Do(t.Context(), request); !errors.Is(err, peerport.ErrRefused) {
		t.Fatalf("%v, want a refusal", err)
	}
	w.move("b", moved)
	if got := ask(t, a, request); got != "b" {
		t.Errorf("answered by %q, want b", got)
	}
}

// What is no muster peer learns in JSON why it is turned away.
func TestRequestWithoutIntroduction(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		status int
		code   string
	}{
		"bare":    {nil, 421, "malformed"},
		"no hop":  {map[string]string{"X-Muster-From": "a", "X-Muster-Peer": "b"}, 421, "malformed"},
		"one hop": {map[string]string{"X-Muster-From": "a", "X-Muster-Peer": "b", "X-Muster-Hop": "1"}, 404, ""},
		"two hops": {
			map[string]string{"X-Muster-From": "a", "X-Muster-Peer": "b", "X-Muster-Hop": "2"}, 508, "hop_limit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := loopback()
			w.start(t, "b", nil)
			addr, _ := w.resolve("b")
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/join", nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			transport := &http.Transport{DisableKeepAlives: true}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.status {
				t.Errorf("status %d, want %d", resp.StatusCode, c.status)
			}
			if c.code == "" {
				return
			}
			var got struct {
				Error struct{ Code, Message string }
			}
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if got.Error.Code != c.code || got.Error.Message == "" {
				t.Errorf("error %+v, want code %s and a message", got.Error, c.code)
			}
			if c.header == nil && !strings.Contains(got.Error.Message, "-http-addr") {
				t.Errorf("who took the port for the API's is told %q", got.Error.Message)
			}
		})
	}
}

func TestForwardedOnce(t *testing.T) {
	w := loopback()
	a := w.start(t, "a", nil)
	var b *peer
	forwarded := make(chan error, 1)
	b = w.start(t, "b", serving(func(_ http.ResponseWriter, r *http.Request) {
		_, err := b.Client().Do(r.Context(), peerport.Request{Peer: "c", Path: "/"})
		forwarded <- err
	}))
	w.start(t, "c", serving(func(http.ResponseWriter, *http.Request) { t.Error("forwarded twice") }))
	ask(t, a, peerport.Request{Peer: "b", Path: "/"})
	if err := <-forwarded; !errors.Is(err, peerport.ErrHopLimit) || !peerport.NotSent(err) {
		t.Errorf("forwarding again: %v, want ErrHopLimit", err)
	}
}

func TestBothProtocolsAtOnce(t *testing.T) {
	w := loopback()
	a := w.start(t, "a", func(cfg *peerport.Config) { cfg.ConnsPerPeer = 4 })
	b := w.start(t, "b", serving(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	b.echo(t)
	var asking sync.WaitGroup
	for range 8 {
		stream := a.dialStream(t, "b")
		asking.Go(func() {
			for range 20 {
				if err := sendBack(stream, "stream"); err != nil {
					t.Error(err)
				}
			}
		})
		asking.Go(func() {
			for range 20 {
				body, err := a.Client().Do(t.Context(), peerport.Request{Peer: "b", Path: "/", Body: []byte("http")})
				if err != nil || string(body) != "http" {
					t.Errorf("Do = %q, %v", body, err)
				}
			}
		})
	}
	asking.Wait()
	if n := b.count(t, "accepted_connections_total", "raft"); n != 8 {
		t.Errorf("%v raft connections, want 8", n)
	}
	if n := b.count(t, "accepted_connections_total", "http"); n < 1 || n > 4 {
		t.Errorf("%v http connections, want 1 to 4", n)
	}
}
