package httpd_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	httpd "github.com/musterhq/muster/http"
)

// diary is a tracer that writes down what is said of requests.
type diary struct{ said map[string]string }

type inRequest struct{}

func (d *diary) Request(ctx context.Context, _ http.Header, name string) (context.Context, httpd.Step) {
	d.said["name"] = name
	return context.WithValue(ctx, inRequest{}, true), d
}

func (d *diary) Set(key, value string) { d.said[key] = value }

func (d *diary) Count(key string, n int) { d.said[key] = http.StatusText(n) }

func (d *diary) End(err error) {
	d.said["ended"] = "well"
	if err != nil {
		d.said["ended"] = "badly"
	}
}

// TestRequestsAreTraced: by their routes, never by what somebody typed. An error is only what the server could not do.
func TestRequestsAreTraced(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		leaderless   bool
		want         map[string]string
	}{
		{"GET", "/v1/cluster/canary?stale", false, map[string]string{
			"name": "GET /v1/cluster/{name}", "http.request.method": "GET", "http.route": "/v1/cluster/{name}",
			"http.response.status_code": "Not Found", "ended": "well",
		}},
		{"GET", "/v1/clusters", true, map[string]string{
			"name": "GET /v1/clusters", "http.request.method": "GET", "http.route": "/v1/clusters",
			"http.response.status_code": "Service Unavailable", "ended": "badly",
		}},
		{"CANARY", "/v1/clusters", false, map[string]string{
			"name": "other /v1/clusters", "http.request.method": "other", "http.route": "/v1/clusters",
			"http.response.status_code": "Method Not Allowed", "ended": "well",
		}},
		{"GET", "/canary", false, map[string]string{
			"name": "GET none", "http.request.method": "GET", "http.route": "none", "http.response.status_code": "Not Found", "ended": "well",
		}},
		{"GET", "/readyz", false, map[string]string{}},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			notes := &diary{said: map[string]string{}}
			face := newFace(t, func(c *httpd.Config) { c.Tracer = notes })
			face.noLeader = tt.leaderless
			face.server.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(tt.method, tt.path, http.NoBody))
			if diff := cmp.Diff(tt.want, notes.said); diff != "" {
				t.Errorf("what is said of the request (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTracesCostNothingWhileOff: a server without a tracer allocates nothing for it.
func TestTracesCostNothingWhileOff(t *testing.T) {
	s, r := newFace(t).server, httptest.NewRequest(http.MethodGet, "/v1/clusters", http.NoBody)
	if got := testing.AllocsPerRun(100, func() { s.Trace(r) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
