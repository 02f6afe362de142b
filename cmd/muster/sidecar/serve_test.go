package sidecar_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/musterhq/muster/cmd/muster/sidecar"
	"github.com/musterhq/muster/fsm"
)

func TestRequestsThatAreRefused(t *testing.T) {
	bubble(t, nil, func(t *testing.T, _ *store, s *sidecar.Sidecar) {
		for name, c := range map[string]struct {
			method, path, body, header string
			status                     int
			code                       string
		}{
			"path":         {"GET", "/v1/nodes", "", "", 404, "not_found"},
			"above":        {"GET", "/v1/../v1/node", "", "", 404, "not_found"},
			"method":       {"POST", "/v1/node", "", "", 405, "method_not_allowed"},
			"body":         {"GET", "/v1/node", "x", "", 413, "too_large"},
			"query":        {"GET", "/v1/node?token=hunter2", "", "", 400, "invalid"},
			"other's name": {"GET", "/v1/node", "", "Host: evil.example", 403, "forbidden"},
			"other's IP":   {"GET", "/v1/node", "", "Host: 10.0.0.7:8655", 403, "forbidden"},
		} {
			w := do(t, s, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)), c.header)
			if w.Code != c.status || !strings.HasPrefix(w.Body.String(), `{"error":{"code":"`+c.code+`","message":"`) {
				t.Errorf("%s: status %d, %s", name, w.Code, w.Body)
			}
			if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s: Allow is %q", name, w.Header().Get("Allow"))
			}
			if strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("%s: the answer repeats the token: %s", name, w.Body)
			}
		}
		if w := do(t, s, httptest.NewRequest(http.MethodHead, "/v1/node", nil)); w.Code != http.StatusOK || w.Header().Get("ETag") == "" {
			t.Errorf("HEAD: status %d, header %v", w.Code, w.Header())
		}
		for _, host := range []string{"localhost:8655", "[::1]:8655", "127.0.0.9", ""} {
			if w := get(t, s, "/v1/node", "Host: "+host); w.Code != http.StatusOK {
				t.Errorf("host %q: status %d", host, w.Code)
			}
		}
	})
}

func TestToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("knock\n")
	bubble(t, func(c *sidecar.Config) { c.TokenFile = file }, func(t *testing.T, _ *store, s *sidecar.Sidecar) {
		expect := func(status int, path string, headers ...string) {
			t.Helper()
			w := get(t, s, path, headers...)
			if w.Code != status {
				t.Errorf("%s with %v: status %d, wanted is %d", path, headers, w.Code, status)
			}
			if status == http.StatusUnauthorized && (w.Header().Get("Connection") != "close" || w.Header().Get("WWW-Authenticate") == "") {
				t.Errorf("%s with %v: header is %v", path, headers, w.Header())
			}
		}
		expect(200, "/v1/node", "Authorization: Bearer knock")
		expect(200, "/v1/node", "Authorization: bearer  knock")
		expect(200, "/metrics", "X-Muster-Token: knock")
		expect(200, "/livez")
		expect(200, "/readyz")
		for _, path := range []string{"/v1/node", "/metrics", "/elsewhere"} {
			expect(401, path)
			expect(401, path, "Authorization: Bearer knoc")
			expect(401, path, "Authorization: Basic knock")
			expect(401, path, "X-Muster-Token: ")
		}
		write("other\n\n knock-knock \n")
		expect(401, "/v1/node", "Authorization: Bearer knock")
		expect(200, "/v1/node", "Authorization: Bearer other")
		expect(200, "/v1/node", "Authorization: Bearer knock-knock")
		write("\n")
		expect(503, "/v1/node", "Authorization: Bearer other")
		expect(503, "/v1/node", "Authorization: Bearer \x00")
	})
}

func TestMetricsAreBounded(t *testing.T) {
	bubble(t, nil, func(t *testing.T, db *store, s *sidecar.Sidecar) {
		for i, reason := range []string{"", fsm.ReasonRefused, fsm.ReasonAuth, "made up", "made up, too"} {
			if db.fail(reason); reason == "" {
				db.say(leader())
			}
			later()
			get(t, s, "/v1/node")
			get(t, s, "/"+strconv.Itoa(i))
		}
		synctest.Wait()
		text := get(t, s, "/metrics").Body.String()
		for _, line := range []string{
			`muster_sidecar_probes_total{result="authentication"} 1`,
			`muster_sidecar_probes_total{result="down"} 1`,
			`muster_sidecar_probes_total{result="other"} 2`,
			`muster_sidecar_requests_total{code="200",route="node"} 2`,
			`muster_sidecar_requests_total{code="503",route="node"} 3`,
			`muster_sidecar_requests_total{code="404",route="none"} 5`,
			`muster_sidecar_store_up 0`,
		} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("there is no %s in:\n%s", line, text)
			}
		}
	})
}
