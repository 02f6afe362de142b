package main

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/cmd/muster/bundle"
	"github.com/musterhq/muster/cmd/muster/bundle/bundletest"
	httpd "github.com/musterhq/muster/http"
)

// plain is a file of a bundle as it can be searched: profiles are packed.
func plain(t *testing.T, text string) string {
	t.Helper()
	zip, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		return text
	}
	raw, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// canaries puts secrets wherever a peer takes one, and returns them with the options that have it use them.
func canaries(t *testing.T, dir string) (secrets map[string]string, options []string) {
	t.Helper()
	key := base64.StdEncoding.EncodeToString([]byte("canary-gossip-key-of-32-bytes!!!"))
	secrets = map[string]string{
		"gossip key": key, "token of Consul": "canary-consul-token-5301", "variable": "canary-variable-5302", "vault": "canary-vault-5303",
		"address of Consul": "canary-consul-path-5304", "header of traces": "canary-header-5305",
	}
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("data/secrets/store", secrets["vault"])
	t.Setenv("MUSTER_SECRET_STORE", secrets["variable"])
	if code, said := told(t, "tls", "ca", "create", "-dir", dir); code != 0 {
		t.Fatal(said)
	}
	if code, said := told(t, "tls", "cert", "create", "-peer", "-name", "peer-a", "-dir", dir); code != 0 {
		t.Fatal(said)
	}
	return secrets, []string{
		"-gossip-key-file", put("gossip.key", key), "-consul-token-file", put("consul.token", secrets["token of Consul"]),
		"-consul-addr", "http://127.0.0.1:1/" + secrets["address of Consul"], "-acl",
		"-trace-endpoint", "http://127.0.0.1:1", "-trace-headers-file", put("headers", "Authorization: "+secrets["header of traces"]+"\n"),
		"-log-level", "warn",
	}
}

// TestDebugHoldsNoSecret gathers everything of a peer that was given a secret wherever it takes one, and looks for them. A token of
// the role read gets what it may, and no more.
func TestDebugHoldsNoSecret(t *testing.T) {
	dir := t.TempDir()
	h := hosts(t, 1)[0]
	h.dir = filepath.Join(dir, "data")
	secrets, options := canaries(t, dir)
	h.start(nil, append(options, "-bootstrap-expect", "1")...)
	ready(t, h.api)
	var first httpd.TokenMade
	if out := h.ask("acl", "bootstrap", "-data-dir", h.dir, "-format=json"); json.Unmarshal([]byte(out), &first) != nil {
		t.Fatal(out)
	}
	secrets["first token"] = first.Secret
	var reader httpd.TokenMade
	out := h.ask("acl", "token", "create", "-role", "read", "-token", first.Secret, "-format=json")
	if json.Unmarshal([]byte(out), &reader) != nil {
		t.Fatal(out)
	}
	secrets["token"] = reader.Secret
	h.ask("discovery", "apply", "-token", first.Secret, declared(t, dir))

	file := filepath.Join(dir, "bundle.tar.gz")
	args := []string{"debug", "-duration", "2s", "-interval", "1s", "-output", file, "-token", first.Secret, "-http-addr", h.ip + ":8650"}
	for _, part := range bundle.Parts {
		args = append(args, "-capture", part)
	}
	gathers := start(t, args...)
	manager, err := httpd.NewClient(httpd.ClientConfig{Address: h.ip + ":8650", Token: first.Secret})
	if err != nil {
		t.Fatal(err)
	}
	watched(t, manager)
	if _, err := manager.Reload(t.Context()); err != nil { // which the log tells
		t.Fatal(err)
	}
	said := gathers.line() + gathers.wait()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, files := bundletest.Unpack(t, raw)
	var x bundle.Index
	if err := json.Unmarshal([]byte(files["index.json"]), &x); err != nil {
		t.Fatal(err)
	}
	for _, f := range x.Files {
		if f.Error != "" || f.Bytes == 0 && f.Name != "log.txt" {
			t.Errorf("%+v", f)
		}
	}
	for _, name := range []string{"profiles/cpu.pprof", "profiles/trace.out", "profiles/heap-002.pprof", "metrics/002.txt", "fleet/discoveries.json"} {
		if files[name] == "" {
			t.Errorf("%s is missing; %q", name, said)
		}
	}
	for _, line := range []string{`level=INFO msg="reload asked"`, `level=DEBUG msg="run ended"`, `level=DEBUG msg="refresh ended" cluster=orders`} {
		if !strings.Contains(files["log.txt"], line) {
			t.Errorf("want %q in the log:\n%s", line, files["log.txt"])
		}
	}
	hidden(t, files["agent/configuration.json"])
	for what, secret := range secrets {
		for name, text := range files {
			if strings.Contains(plain(t, text), secret) {
				t.Errorf("the %s is in %s", what, name)
			}
		}
		if strings.Contains(said, secret) {
			t.Errorf("the %s is told", what)
		}
	}
	if code, said := told(t, "debug", "-output", file, "-http-addr", h.ip+":8650", "-token", first.Secret); code != 1 ||
		!strings.Contains(said, "is there already") {
		t.Errorf("it ends with %d: %s", code, said)
	}
	weak(t, h, reader.Secret)
	h.end(syscall.SIGTERM)
}

// declared is a file with a discovery whose prober is given the name of a secret.
func declared(t *testing.T, dir string) string {
	t.Helper()
	list, file := filepath.Join(dir, "fleet.json"), filepath.Join(dir, "fleet.hcl")
	text := fmt.Sprintf(`discovery "fleet" {
  backend = "file"
  config { files = [%q] }
  cluster = "{{.cluster}}"
  interval = "1s"
  refresh {
    prober = "redis"
    interval = "1s"
    config { password_file = "store" }
  }
}
`, list)
	err := errors.Join(os.WriteFile(list, []byte(`[{"cluster": "orders", "nodes": [{"id": "a", "address": "127.0.0.1", "port": 1}]}]`), 0o600),
		os.WriteFile(file, []byte(text), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// hidden looks at the settings: what may hold a secret is said to be set, and not told.
func hidden(t *testing.T, text string) {
	t.Helper()
	var c httpd.Configuration
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	got := map[string]httpd.Setting{}
	for _, s := range c.Settings {
		got[s.Name] = s
	}
	if s := got["consul.address"]; !s.Hidden || s.Value != "" {
		t.Errorf("%+v", s)
	}
	if s := got["acl.enabled"]; s.Hidden || s.Value != "true" {
		t.Errorf("%+v", s)
	}
	if s := got["name"]; s.Value != "peer-a" || len(got) < 40 {
		t.Errorf("%+v of %d", s, len(got))
	}
}

// weak gathers with a token that may only read.
func weak(t *testing.T, h *host, token string) {
	t.Helper()
	code, said := told(t, "debug", "-duration", "1s", "-interval", "1s", "-output", filepath.Join(t.TempDir(), "b"), "-http-addr", h.ip+":8650",
		"-token", token)
	for _, want := range []string{"log.txt: this needs the role operate", "profiles: this needs the role manage", "could not be had"} {
		if code != 0 || !strings.Contains(said, want) {
			t.Errorf("it ends with %d, want %q:\n%s", code, want, said)
		}
	}
}

// TestDebugInterrupted ends gathering early by a signal; the archive goes to the output.
func TestDebugInterrupted(t *testing.T) {
	_, api := dev(t)
	self, err := api.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "debug", "-output", "-", "-http-addr", self.Member.HTTPAddress)
	watched(t, api)
	p.signal(syscall.SIGINT)
	raw, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatal(err)
	}
	said := p.wait()
	var x bundle.Index
	_, files := bundletest.Unpack(t, raw)
	if err := json.Unmarshal([]byte(files["index.json"]), &x); err != nil || !x.Interrupted {
		t.Errorf("%v: %+v", err, x)
	}
	if p.cmd.ProcessState.ExitCode() != 0 || !slices.ContainsFunc(x.Files, func(f bundle.File) bool { return f.Name == "agent/self.json" }) {
		t.Errorf("it ends with %d: %s", p.cmd.ProcessState.ExitCode(), said)
	}
}
