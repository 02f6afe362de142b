package peerport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/peerport"
)

// introduction is the head of a request from a to b.
const introduction = "X-Muster-From: a\r\nX-Muster-Peer: b\r\nX-Muster-Hop: 1\r\n"

func TestDoHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		a := w.start(t, "a", nil)
		w.start(t, "b", serving(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		for want, deadline := range map[time.Duration]time.Duration{30 * time.Second: 0, time.Minute: time.Minute} {
			ctx, cancel := context.WithCancel(t.Context())
			if deadline != 0 {
				ctx, cancel = context.WithTimeout(t.Context(), deadline)
			}
			begin := time.Now()
			_, err := a.Client().Do(ctx, peerport.Request{Peer: "b", Path: "/"})
			if took := time.Since(begin); took != want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Do ended after %v with %v, want a deadline after %v", took, err, want)
			}
			cancel()
		}
	})
}

// A body has its time to arrive in; a handler that has read it may take longer.
func TestBodyArrivesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		read := make(chan error, 1)
		w.start(t, "b", serving(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			read <- err
			select {
			case <-r.Context().Done():
			case <-time.After(time.Hour):
				w.WriteHeader(http.StatusNoContent)
			}
		}))
		send := func(body string) net.Conn {
			conn := w.connect(t, "b")
			_ = conn.SetDeadline(time.Time{})
			_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: b\r\n"+introduction+"Content-Length: 4\r\n\r\n"+body)
			if err != nil {
				t.Fatal(err)
			}
			return conn
		}
		begin := time.Now()
		send("bod")
		if err := <-read; !isTimeout(err) || time.Since(begin) != 30*time.Second {
			t.Errorf("reading a slow body ended after %v with %v, want a timeout after 30s", time.Since(begin), err)
		}
		conn := send("body")
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, len("HTTP/1.1 204"))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 204" {
			t.Errorf("answer to a slow handler: %q, %v", answer, err)
		}
	})
}

// A body that nobody reads, since its request is refused or is for nothing that is served, has no longer.
func TestUnreadBodyArrivesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		w.start(t, "b", nil)
		for name, head := range map[string]string{"nothing is there": introduction, "refused": "X-Muster-From: a\r\n"} {
			conn := w.connect(t, "b")
			_ = conn.SetDeadline(time.Time{})
			begin := time.Now()
			if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: b\r\n"+head+"Content-Length: 4\r\n\r\nbod"); err != nil {
				t.Fatal(err)
			}
			_, err := io.Copy(io.Discard, conn)
			if took := time.Since(begin); err != nil || took < 30*time.Second || took > 31*time.Second {
				t.Errorf("%s: the connection is over after %s, error %v; want 30s", name, took, err)
			}
		}
	})
}

// Run lets a request finish, tells one that would not to, and waits for both.
func TestRunEndsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		a := w.start(t, "a", nil)
		ended := map[string]time.Time{}
		var mu sync.Mutex
		b := w.start(t, "b", serving(func(_ http.ResponseWriter, r *http.Request) {
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				ended[r.URL.Path] = time.Now()
			}()
			if r.URL.Path == "/short" {
				<-time.After(time.Second)
				return
			}
			<-r.Context().Done()
			<-time.After(time.Second) // to tidy up
		}))
		results := map[string]error{}
		var asking sync.WaitGroup
		for _, path := range []string{"/short", "/endless"} {
			asking.Go(func() {
				// Nobody reads the body, so no lost connection is noticed by it.
				_, err := a.Client().Do(t.Context(), peerport.Request{Peer: "b", Path: path, Body: []byte("x")})
				mu.Lock()
				defer mu.Unlock()
				results[path] = err
			})
		}
		synctest.Wait()
		begin := time.Now()
		b.stop()
		want := map[string]time.Duration{"/short": time.Second, "/endless": 3 * time.Second}
		mu.Lock()
		got := map[string]time.Duration{}
		for path, at := range ended {
			got[path] = at.Sub(begin)
		}
		mu.Unlock()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("handlers ended, when Run did: %s", diff)
		}
		asking.Wait()
		if results["/short"] != nil || results["/endless"] == nil {
			t.Errorf("results %v, want one error", results)
		}
	})
}

func TestRunClosesHijackedConnections(t *testing.T) {
	w := loopback()
	b := w.start(t, "b", serving(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, err = io.WriteString(conn, "mine")
		}
		if err != nil {
			t.Error(err)
		}
	}))
	conn := w.connect(t, "b")
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: b\r\n"+introduction+"\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, len("mine"))); err != nil {
		t.Fatal(err)
	}
	b.stop()
	expectClosed(t, "hijacked", conn)
}

// The asking side lets go of a resting connection first, so that no request
// meets one that the other side is just closing.
func TestRestingConnectionsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		a := w.start(t, "a", nil)
		b := w.start(t, "b", serving(func(http.ResponseWriter, *http.Request) {}))
		ask(t, a, peerport.Request{Peer: "b", Path: "/"})
		if n := b.count(t, "open_connections", "http"); n != 1 {
			t.Errorf("%v connections after a request, want 1", n)
		}
		wait(t, 31*time.Second)
		if n := b.count(t, "open_connections", "http"); n != 0 {
			t.Errorf("%v connections after half the idle timeout, want 0", n)
		}
	})
}

// Run does not wait for a connection that is still being dialed.
func TestRunEndsDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, network := piped()
		a := w.start(t, "a", nil)
		w.move("b", network.Listen("10.9.9.9:1").Addr().String()) // never accepts
		begin := time.Now()
		var dialing sync.WaitGroup
		for name, dial := range map[string]func() error{
			"Do": func() error {
				_, err := a.Client().Do(t.Context(), peerport.Request{Peer: "b", Path: "/"})
				return err
			},
			"Dial": func() error {
				_, err := a.Streams().Dial("b", time.Minute)
				return err
			},
		} {
			dialing.Go(func() {
				if err := dial(); !peerport.NotSent(err) || time.Since(begin) != 0 {
					t.Errorf("%s ended after %v with %v, want a DialError at once", name, time.Since(begin), err)
				}
			})
		}
		synctest.Wait()
		a.stop()
		dialing.Wait()
	})
}

// A dialer that does not heed its context cannot bring in a connection late.
func TestNothingIsDialedAfterRun(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	w := loopback()
	w.move("b", "10.0.0.1:1")
	a := w.start(t, "a", func(cfg *peerport.Config) {
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	})
	a.stop()
	if _, err := a.Streams().Dial("b", time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dial = %v, want net.ErrClosed", err)
	}
	expectClosed(t, "dialed after Run", far)
}
