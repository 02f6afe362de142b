package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/agent/trace/tracetest"
)

// TestAPeerTellsACollector: a real process, by the block of its files, what it is asked for and what it was not, until its end; and
// nothing of what is secret.
func TestAPeerTellsACollector(t *testing.T) {
	c := &tracetest.Collector{}
	s := httptest.NewServer(c)
	defer s.Close()
	dir := t.TempDir()
	headers := filepath.Join(dir, "headers")
	if err := os.WriteFile(headers, []byte("authorization: Bearer canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(dir, "fleet.json")
	if err := os.WriteFile(source, []byte(`[{"cluster": "orders", "nodes": [{"id": "orders-0", "address": "127.0.0.1", "port": 1}]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := func(ratio int) map[string]string {
		return map[string]string{
			"agent.hcl": fmt.Sprintf("trace {\n  endpoint = %q\n  ratio = %d\n  headers_file = %q\n}\n"+
				"discovery \"fleet\" {\n  backend = \"file\"\n  config { files = [%q] }\n}\n", s.URL, ratio, headers, source),
		}
	}
	conf := t.TempDir()
	files(t, conf, settings(1))
	p, api := dev(t, "-config-dir", conf)
	told := func(what string, is func(tracetest.Span) bool) {
		t.Helper()
		until(t, what, func(context.Context) bool { return len(c.Find(is)) > 0 })
	}
	told("a run", func(s tracetest.Span) bool { return s.Name == "run" && s.Attributes["muster.discovery"] == "fleet" })
	told("a refresh", func(s tracetest.Span) bool { return s.Name == "refresh" && s.Attributes["muster.cluster"] == "orders" })

	self, err := api.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files(t, conf, settings(0))
	if _, err := api.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Members(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	log := p.wait()
	if err := c.Err(); err != nil {
		t.Error(err)
	}
	asked := map[string]int{}
	for _, s := range c.Spans() {
		asked[s.Name]++
	}
	if asked["GET /v1/agent/self"] != 1 || asked["GET /v1/agent/members"] != 0 {
		t.Errorf("with a share of all one request, and with a share of none another, are told of %d and %d times",
			asked["GET /v1/agent/self"], asked["GET /v1/agent/members"])
	}
	if strings.Contains(c.Raw()+log, "canary") {
		t.Error("a secret was told")
	}
	if got := c.Headers()[0].Get("Authorization"); got != "Bearer canary" {
		t.Errorf("the collector was shown %q", got)
	}
	if strings.Contains(c.Raw(), self.Member.HTTPAddress) || strings.Contains(c.Raw(), dir) {
		t.Error("an address or a path was told")
	}
}
