package httpd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	f := newFace(t)
	for _, path := range []string{"/", "/v1", "/v1/cluster", "/v1//clusters", "/v1/clusters/", "/v2/clusters", "/v1/cluster/a/b", "/debug/pprof/"} {
		f.get(path).refuses(http.StatusNotFound, fsm.CodeNotFound)
	}
	for path, allow := range map[string]string{
		"/v1/clusters": "GET, HEAD", "/v1/cluster/x": "DELETE, GET, HEAD, PATCH", "/v1/discovery/x": "DELETE, GET, HEAD, PUT",
		"/v1/nodes/transition": "POST", "/v1/agent/leave": "PUT", "/livez": "GET, HEAD",
	} {
		a := f.do(http.MethodTrace, path, nil)
		a.refuses(http.StatusMethodNotAllowed, httpd.CodeMethodNotAllowed)
		if got := a.Header().Get("Allow"); got != allow {
			t.Errorf("%s allows %q, want %q", path, got, allow)
		}
	}
	f.get("/nowhere?token=secret").blames("token")
}

func TestNamesInPaths(t *testing.T) {
	f := newFace(t)
	d := f.applied("prod")
	for _, name := range []string{"..", "a b", "50%", "ключ", "a+b", `"`} {
		f.listed(f.state.Read().Discovery("prod"), name, "../x", "n//m", "?#")
	}
	_ = d
	for _, c := range []string{"..", "a%20b", "50%25", "%D0%BA%D0%BB%D1%8E%D1%87", "a+b", "%22"} {
		for _, id := range []string{"..%2Fx", "n%2F%2Fm", "%3F%23"} {
			if a := f.get("/v1/cluster/" + c + "/node/" + id); a.Code != http.StatusOK {
				t.Errorf("%s/%s is answered %d: %s", c, id, a.Code, a.Body)
			}
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	reg := prometheus.NewRegistry()
	f := newFace(t, func(c *httpd.Config) { c.Registerer = reg })
	f.fleet()
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"},
	} {
		f.do(http.MethodPost, "/v1/cluster/orders/refresh", nil, header...).refuses(http.StatusForbidden, fsm.CodeForbidden)
	}
	if a := f.do(http.MethodPost, "/v1/cluster/orders/refresh", nil, "Sec-Fetch-Site", "same-origin"); a.Code != http.StatusAccepted {
		t.Errorf("the peer's own page is answered %d", a.Code)
	}
	if a := f.get("/v1/clusters"); a.Header().Get("Access-Control-Allow-Origin") != "" || a.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers are %v", a.Header())
	}
}

// serving runs a server on loopback until the test ends.
func (f *face) serving(t *testing.T) net.Addr {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.run(t, ln)
	return ln.Addr()
}

// run runs a server until the test ends.
func (f *face) run(t *testing.T, ln net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- f.server.Run(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// raw sends bytes over a connection of its own and reads the status and body of the answer.
func raw(t *testing.T, to net.Addr, request string) (status int, body string, err error) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, "", err
	}
	return answered(conn)
}

// answered reads the status and body of one answer.
func answered(conn net.Conn) (status int, body string, err error) {
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func TestHostCheck(t *testing.T) {
	f := newFace(t, func(c *httpd.Config) { c.Hosts = []string{"Peer-A.internal", "203.0.113.7"} })
	to := f.serving(t)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8650": 200, "127.0.0.1:8650": 200, "[::1]:80": 200, "127.9.9.9": 200, "peer-a.internal": 200,
		"203.0.113.7:443": 200, "203.0.113.8": 403, "localhost.": 200, "evil.example": 403, "evil.example:8650": 403, "10.0.0.1": 403, "127.0.0.1.evil.example": 403,
		"localhost.evil.example": 403, "0.0.0.0": 403,
	} {
		status, body, err := raw(t, to, "GET /v1/status/leader HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if err != nil || status != want {
			t.Errorf("host %s is answered %d: %s (%v)", host, status, body, err)
		}
		if status == http.StatusForbidden && (!strings.Contains(body, `"code":"forbidden"`) || !strings.Contains(body, "-advertise-http "+host)) {
			t.Errorf("host %s is refused with %s", host, body)
		}
	}
}

func TestHostIsFreeOffLoopback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		ln := newPipes()
		f.run(t, ln)
		res, err := ln.client().Get("http://muster.example/v1/status/peers")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("status %d", res.StatusCode)
		}
	})
}

func TestHeaderLimits(t *testing.T) {
	f := newFace(t)
	to := f.serving(t)
	status, _, err := raw(t, to, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Big: "+strings.Repeat("x", 80<<10)+"\r\n\r\n")
	if err == nil && status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("80 KiB of headers are answered %d", status)
	}
}

func TestSlowHeaderIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		ln := newPipes()
		f.run(t, ln)
		conn, err := ln.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("a header without end held its connection for %s", took)
		}
	})
}

func TestSlowBodyIsCutOff(t *testing.T) {
	for request, status := range map[string]int{
		"PUT /v1/discovery/x":        http.StatusBadRequest, // waits for the body
		"POST /v1/discovery/x/run":   http.StatusNotFound,   // takes none
		"POST /nowhere":              http.StatusNotFound,
		"DELETE /v1/nodes":           http.StatusMethodNotAllowed,
		"POST /v1/nodes/transition?": http.StatusBadRequest,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFace(t)
			ln := newPipes()
			f.run(t, ln)
			conn, err := ln.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			began := time.Now()
			_, err = io.WriteString(conn, request+" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
			if err != nil {
				t.Fatal(err)
			}
			got, body, err := answered(conn)
			if err != nil || got != status || time.Since(began) > 21*time.Second {
				t.Errorf("%s is answered %d after %s: %s (%v)", request, got, time.Since(began), body, err)
			}
		})
	}
}

// TestLongWorkAfterABody works longer than a body may take to arrive.
func TestLongWorkAfterABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.preview = func(ctx context.Context, _ string, _ fsm.Spec) (httpd.Preview, error) {
			select {
			case <-ctx.Done():
				return httpd.Preview{}, ctx.Err()
			case <-time.After(50 * time.Second):
				return httpd.Preview{Records: 7}, nil
			}
		}
		ln := newPipes()
		f.run(t, ln)
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: ln.client()})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := c.PreviewPosted(t.Context(), map[string]any{"backend": "file"}); err != nil || p.Records != 7 {
			t.Errorf("preview is %+v, %v", p, err)
		}
	})
}

func TestFollowerThatDoesNotReadIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		f := newFace(t, func(c *httpd.Config) { c.Registerer = reg })
		f.fleet()
		ln := newPipes()
		f.run(t, ln)
		conn, err := ln.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /v1/events/follow HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := gauge(t, reg, "muster_http_waiting_requests"); got != 1 {
			t.Fatalf("%v followers", got)
		}
		<-time.After(writeLimit + time.Second)
		synctest.Wait()
		if got := gauge(t, reg, "muster_http_waiting_requests"); got != 0 {
			t.Errorf("a follower that reads nothing is kept after %s", writeLimit)
		}
	})
}

const writeLimit = 30 * time.Second

// TestLongPollOverAConnection waits longer than any deadline of the connection.
func TestLongPollOverAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		ln := newPipes()
		f.run(t, ln)
		began := time.Now()
		res, err := ln.client().Get("http://a/v1/clusters?index=1&wait=4m")
		if err != nil {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "[]\n" {
			t.Errorf("after %s: %q, %v", time.Since(began), body, err)
		}
	})
}

func TestFollowOverAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		ln := newPipes()
		f.run(t, ln)
		res, err := ln.client().Get("http://a/v1/events/follow?after=now")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		lines := bufio.NewReader(res.Body)
		for range 9 { // two minutes of heartbeats
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		f.voters(3)
		line, err := lines.ReadString('\n')
		if err != nil || !strings.Contains(line, "settings.changed") {
			t.Errorf("line %q, %v", line, err)
		}
	})
}

func TestMetrics(t *testing.T) {
	f := newFace(t)
	f.get("/v1/cluster/nobody")
	f.get("/v1/cluster/somebody?x=1")
	f.do("BREW", "/v1/clusters", nil)
	f.get("/nowhere/at/all")
	body := f.get("/metrics").Body.String()
	for _, want := range []string{
		`muster_http_requests_total{code="404",method="GET",route="/v1/cluster/{name}"} 1`,
		`muster_http_requests_total{code="400",method="GET",route="/v1/cluster/{name}"} 1`,
		`muster_http_requests_total{code="405",method="other",route="/v1/clusters"} 1`,
		`muster_http_requests_total{code="404",method="GET",route="none"} 1`,
		`muster_http_request_duration_seconds_count{route="/v1/cluster/{name}"} 2`,
		"muster_http_waiting_requests 0",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestHead(t *testing.T) {
	f := newFace(t)
	if a := f.do(http.MethodHead, "/v1/clusters", nil); a.Code != http.StatusOK || a.Header().Get("X-Muster-Index") != "1" {
		t.Errorf("HEAD is answered %d, %v", a.Code, a.Header())
	}
}

func TestGroupRoutes(t *testing.T) {
	f := newFace(t)
	if got := into[string](f.get("/v1/status/leader"), http.StatusOK); got != "127.0.0.1:8651" {
		t.Errorf("leader is %q", got)
	}
	if got := into[[]string](f.get("/v1/status/peers"), http.StatusOK); len(got) != 1 {
		t.Errorf("peers are %v", got)
	}
	if got := into[httpd.Self](f.get("/v1/agent/self"), http.StatusOK); got.Member.Name != "peer-a" {
		t.Errorf("self is %+v", got)
	}
	if got := into[[]httpd.Member](f.get("/v1/agent/members"), http.StatusOK); len(got) != 2 {
		t.Errorf("members are %+v", got)
	}
	if got := into[httpd.RaftConfiguration](f.get("/v1/operator/raft/configuration"), http.StatusOK); got.Index != 3 {
		t.Errorf("configuration is %+v", got)
	}
	f.apply(&fsm.PeerSet{Peer: fsm.Peer{ID: "p2", Name: "peer-b", Status: fsm.PeerGone}})
	for _, act := range []struct{ method, path, told, event string }{
		{"PUT", "/v1/agent/join/10.0.0.2:8651", "join 10.0.0.2:8651", ""},
		{"PUT", "/v1/agent/reload", "reload", ""},
		{"PUT", "/v1/agent/leave", "leave", "leave peer-a"},
		{"PUT", "/v1/agent/force-leave/peer-b", "force-leave peer-b", "force_leave peer-b"},
		{"DELETE", "/v1/operator/raft/peer?id=p1", "remove p1", "remove_peer peer-a"},
		{"POST", "/v1/operator/raft/transfer-leader", "transfer ", "transfer_leader "},
		{"POST", "/v1/operator/raft/transfer-leader?id=p1", "transfer p1", "transfer_leader peer-a"},
	} {
		f.acts = nil
		seq := f.state.Read().Meta().Seq
		into[map[string]any](f.do(act.method, act.path, nil), http.StatusOK)
		if fmt.Sprint(f.acts) != "["+act.told+"]" {
			t.Errorf("%s did %v", act.path, f.acts)
		}
		if act.event == "" {
			continue
		}
		e := f.lastEvent()
		part, ok := e.After.(*fsm.ActionPart)
		if !ok || part.Action+" "+part.Subject != act.event || e.Seq != seq+1 {
			t.Errorf("%s is told as %+v", act.path, e.After)
		}
	}
	f.do("DELETE", "/v1/operator/raft/peer", nil).blames("id")
	f.do("DELETE", "/v1/operator/raft/peer?id=p9", nil).refuses(http.StatusNotFound, fsm.CodeNotFound)
	f.do("POST", "/v1/operator/raft/transfer-leader?id=p9", nil).refuses(http.StatusNotFound, fsm.CodeNotFound)
	f.do("PUT", "/v1/agent/force-leave/nobody", nil).refuses(http.StatusNotFound, fsm.CodeNotFound)
}

func TestReadiness(t *testing.T) {
	f := newFace(t)
	for _, path := range []string{"/livez", "/readyz"} {
		if got := into[httpd.Readiness](f.get(path), http.StatusOK); got.Status != "ok" {
			t.Errorf("%s is %+v", path, got)
		}
	}
	f.warnings = []string{"the disk is low"}
	if got := into[httpd.Readiness](f.get("/readyz"), http.StatusOK); got.Status != "ok" || fmt.Sprint(got.Warnings) != "[the disk is low]" {
		t.Errorf("a peer with a warning is %+v", got)
	}
	f.checks = []httpd.Check{
		{Name: "leader", Err: errors.New("no leader")},
		{Name: "caught_up", Err: errors.New("400 entries behind")},
		{Name: "log_store", Restart: true},
		{Name: "state", Restart: true},
	}
	judged := func(path string, status int, want httpd.Readiness) {
		t.Helper()
		want.Warnings = f.warnings
		if diff := cmp.Diff(want, into[httpd.Readiness](f.get(path), status)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
	judged("/readyz", http.StatusServiceUnavailable, httpd.Readiness{Status: "failing", Reasons: []string{"no leader", "400 entries behind"}})
	judged("/livez", http.StatusOK, httpd.Readiness{Status: "ok"})
	judged("/livez?verbose", http.StatusOK, httpd.Readiness{Status: "ok", Checks: []httpd.CheckRow{
		{Name: "log_store", Status: "ok"}, {Name: "state", Status: "ok"},
	}})
	f.checks[2].Err = errors.New("disk: write failed")
	judged("/livez", http.StatusServiceUnavailable, httpd.Readiness{Status: "failing", Reasons: []string{"disk: write failed"}})
	judged("/readyz?verbose", http.StatusServiceUnavailable, httpd.Readiness{
		Status: "failing", Reasons: []string{"no leader", "400 entries behind", "disk: write failed"}, Checks: []httpd.CheckRow{
			{Name: "leader", Status: "failing", Reason: "no leader"},
			{Name: "caught_up", Status: "failing", Reason: "400 entries behind"},
			{Name: "log_store", Status: "failing", Reason: "disk: write failed"},
			{Name: "state", Status: "ok"},
		},
	})
	f.get("/readyz?verbose=perhaps").blames("verbose")
}

func TestInternalFaultsAreNotTold(t *testing.T) {
	f := newFace(t)
	f.preview = func(context.Context, string, fsm.Spec) (httpd.Preview, error) {
		return httpd.Preview{}, errors.New("open /secret/path")
	}
	a := f.do(http.MethodPost, "/v1/discoveries/preview", `{"backend": "file"}`)
	a.refuses(http.StatusInternalServerError, httpd.CodeInternal)
	if strings.Contains(a.Body.String(), "secret") {
		t.Errorf("the answer tells %s", a.Body)
	}
}

func TestEveryCodeHasItsStatus(t *testing.T) {
	for code, status := range map[fsm.Code]int{
		fsm.CodeInvalid: 400, httpd.CodeUnauthorized: 401, fsm.CodeForbidden: 403, fsm.CodeNotFound: 404, fsm.CodeConflict: 409,
		fsm.CodeClaimed: 409, fsm.CodeStale: 409, fsm.CodeGone: 410, fsm.CodeCAS: 412, fsm.CodeTooLarge: 413,
		fsm.CodeUnavailable: 503, fsm.CodeUnknown: 503, httpd.CodeDiskFull: 507, "no_such_code": 500,
	} {
		f := newFace(t)
		f.preview = func(context.Context, string, fsm.Spec) (httpd.Preview, error) {
			return httpd.Preview{}, fmt.Errorf("wrapped: %w", fsm.Errorf(code, "so it is"))
		}
		f.do(http.MethodPost, "/v1/discoveries/preview", `{"backend": "file"}`).refuses(status, code)
	}
}

func TestNewRefusesHalfAConfig(t *testing.T) {
	c := newPeer(t).config()
	c.Work = nil
	if _, err := httpd.New(c); err == nil || !strings.Contains(err.Error(), "Work") {
		t.Errorf("error is %v", err)
	}
	c = newPeer(t).config()
	if _, err := httpd.New(c); err != nil {
		t.Fatal(err)
	}
	if _, err := httpd.New(c); err == nil {
		t.Error("two servers share one registry")
	}
}
