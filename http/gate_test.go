package httpd_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	httpd "github.com/musterhq/muster/http"
)

// held opens a connection, has a request answered, and keeps it.
func held(t *testing.T, ln *pipes) (conn net.Conn, status int, body string) {
	t.Helper()
	conn, err := ln.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n") }() // it may be refused before
	status, body, err = answered(conn)
	if err != nil {
		t.Fatal(err)
	}
	return conn, status, body
}

// TestConnectionsAreBounded opens one more than may be, from one address or in all: it is told why, and let in when another
// has gone.
func TestConnectionsAreBounded(t *testing.T) {
	for reason, change := range map[string]func(*httpd.Config){
		"conns":        func(c *httpd.Config) { c.MaxConns = 3 },
		"conns_per_ip": func(c *httpd.Config) { c.MaxConnsPerIP = 3 },
	} {
		synctest.Test(t, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			f := newFace(t, change, func(c *httpd.Config) { c.Registerer = reg })
			ln := newPipes()
			f.run(t, ln)
			var open []net.Conn
			for range 3 {
				conn, status, body := held(t, ln)
				if open = append(open, conn); status != http.StatusOK {
					t.Fatalf("%s: status %d: %s", reason, status, body)
				}
			}
			conn, status, body := held(t, ln)
			if status != http.StatusTooManyRequests || !strings.Contains(body, `"too_many_requests"`) {
				t.Errorf("%s: one more is answered %d: %s", reason, status, body)
			}
			conn.Close()
			if n := counted(t, reg, "muster_http_open_connections", ""); n != 3 {
				t.Errorf("%s: %v connections are open, want 3", reason, n)
			}
			if n := counted(t, reg, "muster_http_refused_total", reason); n != 1 {
				t.Errorf("%s: %v refused, want 1", reason, n)
			}
			open[0].Close()
			synctest.Wait()
			conn, status, _ = held(t, ln)
			if status != http.StatusOK {
				t.Errorf("%s: after one has gone another is answered %d", reason, status)
			}
			for _, c := range append(open, conn) {
				c.Close()
			}
		})
	}
}

// counted is a metric, of a label's value where it has one.
func counted(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label == "" || m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}
