package httpd_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	httpd "github.com/musterhq/muster/http"
)

// TestClientsAreHeldToARate: an address may ask for two seconds' worth at once, then at its rate; meanwhile others are answered, and so
// is this machine.
func TestClientsAreHeldToARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		f := newFace(t, func(c *httpd.Config) { c.MaxRate, c.Registerer = 10, reg })
		face := f.server.Paced()
		asks := func(from string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/livez", nil)
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			face.ServeHTTP(w, r)
			return w
		}
		answered := func(from string, times int) (n int) {
			for range times {
				if asks(from).Code == http.StatusOK {
					n++
				}
			}
			return n
		}
		if n := answered("10.0.0.1:1", 30); n != 20 {
			t.Errorf("%d of a burst are answered, want 20", n)
		}
		refused := asks("[::ffff:10.0.0.1]:2")
		answer{refused, t}.refuses(http.StatusTooManyRequests, httpd.CodeTooMany)
		if after := refused.Header().Get("Retry-After"); after != "1" {
			t.Errorf("it is told to come again after %q", after)
		}
		if n := answered("10.0.0.2:1", 5) + answered("127.0.0.1:1", 50) + answered("[::1]:1", 50); n != 105 {
			t.Errorf("%d of 105 requests of others are answered", n)
		}
		<-time.After(time.Second)
		if n := answered("10.0.0.1:1", 30); n != 10 {
			t.Errorf("%d are answered a second later, want 10", n)
		}
		if n := counted(t, reg, "muster_http_refused_total", "rate"); n != 31 {
			t.Errorf("%v refusals are counted, want 31", n)
		}
	})
}

// TestServersHoldClientsToARate: what a server takes from its listener is held so.
func TestServersHoldClientsToARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ln := newFace(t, func(c *httpd.Config) { c.MaxRate = 1 }), newPipes()
		f.run(t, ln)
		for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
			conn, status, body := held(t, ln)
			if conn.Close(); status != want {
				t.Errorf("request %d is answered %d: %s", i, status, body)
			}
		}
	})
}

// TestPaceForgets: clients that ask less often than their rate take no room, however many they are.
func TestPaceForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := httpd.NewPace(10)
		most := 0
		for i := range 100 {
			for j := range 100 {
				if !p.Take(string([]rune{rune('a' + i), rune('a' + j)})) {
					t.Fatal("a first request is refused")
				}
			}
			most = max(most, p.Clients())
			<-time.After(100 * time.Millisecond)
		}
		if most > 1200 {
			t.Errorf("%d clients were kept", most)
		}
	})
}
