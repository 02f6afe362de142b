package probe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe"
)

// site answers requests on a loopback port, and tells what pages were asked with.
type site struct {
	address string
	vault   vault

	mu     sync.Mutex
	dialed []string
	open   int
}

// dials are the addresses dialed, and how many of the connections this side has not closed.
func (s *site) dials() (dialed []string, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dialed), s.open
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func (s *site) dial(next dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dialed = append(s.dialed, address)
		if err != nil {
			return nil, err
		}
		s.open++
		return &counted{Conn: conn, closed: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.open--
		}}, nil
	}
}

func serveSite(t *testing.T, handler http.HandlerFunc) *site {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return &site{address: srv.Listener.Addr().String()}
}

// pages makes the pages of a config against the site; when the test ends nothing of them may be left.
func (s *site) pages(t *testing.T, web probe.Web) probe.Pages {
	t.Helper()
	client, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	env := refresh.Env{
		HTTP: client, Reveal: s.vault.reveal, ConnectTimeout: 10 * time.Second,
		Dial: s.dial(client.Dial),
	}
	if err := web.Check(env); err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	pages := web.Pages(env)
	t.Cleanup(func() {
		pages.Close()
		client.Close()
		goleak.VerifyNone(t, before)
		if _, open := s.dials(); open != 0 {
			t.Errorf("%d connections are left", open)
		}
	})
	return pages
}

func (s *site) get(path string) refresh.Request {
	return refresh.Request{Address: s.address, Path: path}
}

var (
	bearer = probe.Web{Token: refresh.Secret{Variable: "TOKEN"}}
	basic  = probe.Web{Login: probe.Login{Username: "muster", Password: refresh.Secret{File: "p"}}}
)

func TestWebRefused(t *testing.T) {
	const field = "refresh.config."
	for config, key := range map[fsm.JSON]string{
		`{}`:                                       "",
		`{"token_file":"a"}`:                       "",
		`{"username":"a","password_env":"B"}`:      "",
		`{"username":"a"}`:                         "username",
		`{"password_env":"B"}`:                     "username",
		`{"token_file":"a","token_env":"B"}`:       "token_env",
		`{"password_file":"a","password_env":"B"}`: "password_env",
		`{"token_file":"a","username":"b","password_env":"C"}`: "username",
		`{"tls_ca_file":"a"}`: "tls_ca_file",
	} {
		var w probe.Web
		if err := probe.Read(config, w.Fields()); err != nil {
			t.Fatal(err)
		}
		err := w.Check(refresh.Env{Reveal: new(vault).reveal})
		var invalid *fsm.Error
		if key == "" && err != nil || key != "" && (!errors.As(err, &invalid) || invalid.Fields[field+key] == "") {
			t.Errorf("%s: error is %v, wanted is one on %q", config, err, key)
		}
	}
}

// A secret is read for each request, so that it may be rotated.
func TestPagesLogIn(t *testing.T) {
	var sent string
	s := serveSite(t, func(_ http.ResponseWriter, r *http.Request) { sent = r.Header.Get("Authorization") })
	for name, c := range map[string]struct {
		web   probe.Web
		place string
		want  map[string]string
	}{
		"bearer": {bearer, "TOKEN", map[string]string{"one": "Bearer one", "two": "Bearer two"}},
		"basic":  {basic, "p", map[string]string{"one": "Basic bXVzdGVyOm9uZQ==", "two": "Basic bXVzdGVyOnR3bw=="}},
	} {
		t.Run(name, func(t *testing.T) {
			pages := s.pages(t, c.web)
			if _, err := pages.Fetch(t.Context(), s.get("/")); err == nil || refresh.FaultOf(err).Reason != fsm.ReasonAuth {
				t.Errorf("no secret: error is %v", err)
			}
			for secret, want := range c.want {
				s.vault.put(c.place, secret)
				if _, err := pages.Fetch(t.Context(), s.get("/")); err != nil || sent != want {
					t.Errorf("it sent %q, wanted is %q; error %v", sent, want, err)
				}
			}
			s.vault.put(c.place, "two\r\nlines")
			_, err := pages.Fetch(t.Context(), s.get("/"))
			if c.place == "TOKEN" && err == nil {
				t.Error("a token of two lines was sent")
			}
			s.vault.expectNoSecret(t, err)
		})
	}
}

func TestPagesJudge(t *testing.T) {
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"t"`)
		w.Header().Set("Location", "/200")
		switch {
		case r.Header.Get("If-None-Match") == `"t"`:
			w.WriteHeader(http.StatusNotModified)
		case r.URL.Path == "/302":
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/401":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/403":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/304":
			w.WriteHeader(http.StatusNotModified)
		case r.URL.Path == "/503":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if r.Method == http.MethodGet && r.URL.Path == "/503" || r.URL.Path == "/200" {
			_, _ = io.WriteString(w, "1234567890")
		}
	})
	s.vault.put("TOKEN", "knock")
	all := func(int) bool { return true }
	for kind, web := range map[string]probe.Web{"plain": {}, "with a token": bearer} {
		t.Run(kind, func(t *testing.T) {
			pages := s.pages(t, web)
			for path, reason := range map[string]string{
				"/302": fsm.ReasonRedirect, "/401": fsm.ReasonAuth, "/403": fsm.ReasonAuth, "/304": fsm.ReasonProtocol,
				"/503": fsm.ReasonHTTPStatus,
			} {
				answer, err := pages.Fetch(t.Context(), s.get(path))
				if err == nil || refresh.FaultOf(err).Reason != reason || answer.Status != 0 {
					t.Errorf("%s: answer is %+v, error %v, wanted is the reason %s", path, answer, err, reason)
				}
			}
			request := s.get("/302")
			if request.Status = all; refresh.FaultOf(second(pages.Fetch(t.Context(), request))).Reason != fsm.ReasonRedirect {
				t.Error("a redirect was taken for an answer")
			}
			request = s.get("/403")
			if request.Status = all; second(pages.Fetch(t.Context(), request)) != nil {
				t.Error("a status that was asked for was no answer")
			}

			request = s.get("/200")
			request.Keep, request.MaxBody = []string{"etag", "X-None"}, 10
			answer, err := pages.Fetch(t.Context(), request)
			want := refresh.Response{Status: 200, Kept: []string{`"t"`, ""}, Body: []byte("1234567890")}
			if diff := cmp.Diff(want, answer); err != nil || diff != "" {
				t.Errorf("error %v, answer (-want +got):\n%s", err, diff)
			}
			request.MaxBody = 9
			if _, err := pages.Fetch(t.Context(), request); err == nil || refresh.FaultOf(err).Reason != fsm.ReasonTooLarge {
				t.Errorf("a byte too many: error is %v", err)
			}
			request = s.get("/200")
			request.IfNoneMatch = `"t"`
			if answer, err := pages.Fetch(t.Context(), request); err != nil || answer.Status != 304 || len(answer.Body) != 0 {
				t.Errorf("asked for 304: answer is %+v, error %v", answer, err)
			}
		})
	}
}

func second(_ refresh.Response, err error) error { return err }

func TestPagesBoundAnswers(t *testing.T) {
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/header" {
			w.Header().Set("X", strings.Repeat("x", 20<<10))
			return
		}
		block := make([]byte, 64<<10)
		for sent := 0; sent < 4<<20; sent += len(block) {
			_, _ = w.Write(block)
		}
	})
	s.vault.put("TOKEN", "knock")
	pages := s.pages(t, bearer)
	if _, err := pages.Fetch(t.Context(), s.get("/")); err == nil || refresh.FaultOf(err).Reason != fsm.ReasonTooLarge {
		t.Errorf("4 MiB: error is %v", err)
	}
	if _, err := pages.Fetch(t.Context(), s.get("/header")); err == nil {
		t.Error("a header of 20 KiB was read")
	}
}

// TestMain names a proxy that nothing may ask, before anything could remember that there is none.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		if err := os.Setenv(name, "http://proxy.example:3128"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// What is dialed is the address alone, over no proxy.
func TestPagesDialTheirAddress(t *testing.T) {
	p := network(t, func(_ int, conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.Host), r.Host)
		}
	})
	web := probe.Web{Conns: 1}
	pages := web.Pages(p.env())
	defer pages.Close()
	const address = "db.example:80"
	for range 3 {
		answer, err := pages.Fetch(t.Context(), refresh.Request{Address: address, Path: "/"})
		if err != nil || string(answer.Body) != address {
			t.Errorf("answer is %q, error %v", answer.Body, err)
		}
	}
	for _, odd := range []string{"me@" + address, address + "/x", "a/b:80", "a?b:80", "a#b:80", "a b:80", "%61:80"} {
		_, err := pages.Fetch(t.Context(), refresh.Request{Address: odd, Path: "/"})
		expectReason(t, err, fsm.ReasonDNS)
	}
	if diff := cmp.Diff([]string{address}, p.dialed); diff != "" {
		t.Errorf("dialed (-want +got):\n%s", diff)
	}
}

// Conns bounds the connections to an address; all of them are kept, and what finds none waits.
func TestPagesBoundConnections(t *testing.T) {
	const conns, requests = 3, 12
	reached, release := make(chan struct{}, requests), make(chan struct{})
	s := serveSite(t, func(http.ResponseWriter, *http.Request) {
		reached <- struct{}{}
		<-release
	})
	pages := s.pages(t, probe.Web{Conns: conns})
	for range 2 {
		var all sync.WaitGroup
		for range requests {
			all.Go(func() {
				if _, err := pages.Fetch(t.Context(), s.get("/")); err != nil {
					t.Error(err)
				}
			})
		}
		for range conns {
			<-reached
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := pages.Fetch(ctx, s.get("/")); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting: error is %v", err)
		}
		for range requests {
			release <- struct{}{}
		}
		all.Wait()
		for range requests - conns {
			<-reached
		}
		if dialed, open := s.dials(); len(dialed) != conns || open != conns {
			t.Errorf("%d connections were dialed for %d requests at once, and %d kept, wanted are %d",
				len(dialed), requests, open, conns)
		}
	}
}

func TestPagesEndWithTheirContext(t *testing.T) {
	asked := make(chan struct{})
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Header().Set("Content-Length", "10")
			_ = http.NewResponseController(w).Flush()
		}
		asked <- struct{}{}
		<-r.Context().Done() // the other side has hung up
		asked <- struct{}{}
	})
	s.vault.put("TOKEN", "knock")
	pages := s.pages(t, bearer)
	for _, path := range []string{"/", "/body"} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		if _, err := pages.Fetch(ctx, s.get(path)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error is %v", path, err)
		}
		<-asked
	}
}

// A server that accepts and never shakes hands holds nothing for longer than a connect may take.
func TestPagesConnectInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := network(t, func(_ int, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		web := probe.Web{TLS: probe.TLS{On: true}}
		pages := web.Pages(refresh.Env{Dial: p.dial, ConnectTimeout: 2 * time.Second})
		defer pages.Close()
		for _, timeout := range []time.Duration{time.Second, time.Minute} {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			begun := time.Now()
			_, err := pages.Fetch(ctx, refresh.Request{Address: "n:1", Path: "/"})
			expectReason(t, err, fsm.ReasonTimeout)
			if took, want := time.Since(begun), min(timeout, 2*time.Second); took != want {
				t.Errorf("with %s it took %s", timeout, took)
			}
			cancel()
			<-time.After(2 * time.Second)
			synctest.Wait()
			if _, open := p.counts(); open != 0 {
				t.Errorf("with %s the connection stays open", timeout)
			}
		}
	})
}
