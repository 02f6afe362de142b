package cli_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodAgent = "data_dir = \"/var/lib/muster\"\nname = \"peer-a\"\nbackup {\n  dir = \"/b\"\n}\n"

func TestValidateTellsSettingsFromDiscoveries(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"agent.hcl": goodAgent, "both.hcl": goodAgent + goodHCL, "d/10.json": `{"worker": true, "join": ["a"], "data_dir": "/x"}`,
		"d/20.json": `[{"name": "x", "backend": "consul"}]`, "d/note": "no file of these", "odd.hcl": "http_addr = \"10.0.0.1:1\"",
		"empty.hcl": "# nothing\n", "none/x": "", "typo.json": `{"name": "x", "bakcend": "consul"}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	t.Chdir(dir)
	for _, c := range []struct {
		args string
		in   string
		code int
		want string
	}{
		{"agent.hcl", "", 0, "Good: 3 settings in 1 file.\n"},
		{"both.hcl", "", 0, "Good: 3 settings and 2 discoveries in 1 file.\n"},
		{"d", "", 0, "Good: 3 settings and 1 discovery in 2 files.\n"},
		{"d/20.json agent.hcl", "", 0, "Good: 3 settings and 1 discovery in 2 files.\n"},
		{"-", goodAgent, 0, "Good: 3 settings in 1 file.\n"},
		{"-kind agent both.hcl", "", 0, "Good: 3 settings and 2 discoveries in 1 file.\n"},
		{"-kind discovery both.hcl", "", 1, "both.hcl:1: data_dir stands outside a block"},
		{"-kind discovery typo.json", "", 1, `typo.json:1: bakcend is not known (did you mean "backend"?)`},
		{"-", "nmae = 1", 1, `stdin:1: nmae is not known (did you mean "name"?)`},
		{"odd.hcl", "", 1, "-http-addr is set in odd.hcl:1"},
		{"empty.hcl", "", 1, "neither settings nor discoveries"},
		{"none", "", 1, "none holds no file that ends in .hcl or .json"},
		{"d gone.hcl", "", 1, "gone.hcl: no such file"},
		{"-kind peer d", "", 1, `-kind "peer" is neither agent nor discovery`},
		{"-format xml d", "", 1, `-format "xml" is neither table nor json`},
	} {
		r := run{in: c.in}.do(t, nil, append([]string{"validate"}, strings.Fields(c.args)...)...)
		if r.code != c.code || c.code == 0 && r.out != c.want || c.code != 0 && (!strings.Contains(r.err, c.want) || r.out != "") {
			t.Errorf("validate %s: exit %d, out %q, stderr %q; want exit %d, %q", c.args, r.code, r.out, r.err, c.code, c.want)
		}
	}
}

// TestValidateLooksIntoFiles: what a start would say of the files that settings name, each with its place, all at once. With -skip-files
// only what no machine would take.
func TestValidateLooksIntoFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	made := func(args ...string) {
		t.Helper()
		if r := (run{}).do(t, nil, args...); r.code != 0 {
			t.Fatal(r.err)
		}
	}
	made("tls", "ca", "create")
	made("tls", "cert", "create", "-peer", "-name", "a")
	made("tls", "cert", "create", "-peer", "-name", "b")
	write(t, "gossip.key", "hunter2")
	write(t, "token", "canary one\ncanary two")
	write(t, "headers", "authorization: canary\n")
	if err := errors.Join(os.Chmod("headers", 0o644), os.Mkdir("data", 0o750), os.Chmod("data", 0o750), os.Mkdir("data/secrets", 0o700)); err != nil {
		t.Fatal(err)
	}
	write(t, "data/secrets/good", "x")
	write(t, "agent.hcl", `data_dir = "data"
bootstrap_expect = 1
gossip_key_file = "gossip.key"
tls {
  ca_file = "muster-ca.pem"
  cert_file = "muster-peer-a.pem"
  key_file = "muster-peer-b-key.pem"
}
consul { token_file = "token" }
trace {
  endpoint = "http://127.0.0.1:4318"
  headers_file = "headers"
}
discovery "x" {
  backend = "file"
  config { files = ["/x.json"] }
  refresh {
    prober = "redis"
    config {
      password_file = "none"
    }
  }
}
discovery "y" {
  backend = "file"
  config { files = ["/y.json"] }
  refresh {
    prober = "redis"
    config { password_env = "REDIS" }
  }
}
discovery "z" {
  backend = "file"
  config { files = ["/z.json"] }
  refresh {
    prober = "redis"
    config { password_file = "good" }
  }
}
`)
	r := run{}.do(t, nil, "validate", "agent.hcl")
	for _, want := range []string{
		"agent.hcl:1: -data-dir: data directory data may be read by others (mode 0750)", "chmod 700 data",
		"agent.hcl:3: -gossip-key-file: gossip.key: the key is not base64", "muster keygen",
		"agent.hcl:7: -key-file: key muster-peer-b-key.pem is not the key of certificate muster-peer-a.pem",
		"agent.hcl:9: -consul-token-file: token file token does not hold a token", "one line",
		"agent.hcl:12: -trace-headers-file: headers is open to others (mode 0644): chmod 640 headers",
		"agent.hcl:20: refresh.config.password_file: ", "agent.hcl:29: refresh.config.password_env: variable REDIS does not begin with MUSTER_SECRET_",
	} {
		if r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("exit %d, it does not say %q:\n%s", r.code, want, r.err)
		}
	}
	if strings.Contains(r.err, "canary") || strings.Contains(r.err, "hunter") || strings.Count(r.err, "agent.hcl:") != 7 {
		t.Errorf("it says\n%s", r.err)
	}
	r = run{}.do(t, nil, "validate", "-skip-files", "agent.hcl")
	if r.code != 1 || strings.Count(r.err, "agent.hcl:") != 1 || !strings.Contains(r.err, "agent.hcl:29: refresh.config.password_env: ") {
		t.Errorf("for another machine: exit %d, %s", r.code, r.err)
	}
}

func TestValidateAnswersPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.hcl")
	type fault struct {
		File    string
		Line    int
		Message string
	}
	type verdict struct {
		Good                  bool
		Files                 []string
		Settings, Discoveries int
		Faults                []fault
	}
	for _, c := range []struct {
		text string
		code int
		want verdict
	}{
		{goodAgent + goodHCL, 0, verdict{true, []string{path}, 3, 2, []fault{}}},
		{"naem = \"x\"\ndiscovery \"a\" {\n  backend = \"file\"\n  interval = \"1ms\"\n}", 1, verdict{false, []string{path}, 0, 1, []fault{
			{path, 1, `naem is not known (did you mean "name"?)`}, {path, 4, "interval: 1ms is shorter than 1s"},
		}}},
		{"dev = true\ndata_dir = \"/x\"", 1, verdict{false, []string{path}, 2, 0, []fault{
			{Message: "-dev keeps nothing on disk: leave -data-dir out\n-dev is set in " + path + ":1\n-data-dir is set in " + path + ":2"},
		}}},
	} {
		write(t, path, c.text)
		r := run{}.do(t, nil, "validate", "-format=json", path)
		var got verdict
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatalf("%s: %v", r.out, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || r.code != c.code {
			t.Errorf("%s: exit %d (-want +got):\n%s", c.text, r.code, diff)
		}
	}
}
