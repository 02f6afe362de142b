package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cmd/muster/cli"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/refresh"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const goodHCL = `discovery "orders" {
  backend = "consul"
  config  = { services = ["orders-*"] }
  refresh {
    interval = "10s"
  }
}
discovery "payments" {
  backend = "file"
  config {
    files = ["/etc/muster/*.json"]
  }
}
`

func TestApplySendsWhatIsWritten(t *testing.T) {
	a := newAPI(t)
	a.on("PUT", "/v1/discovery/orders", httpd.Ack{Index: 12, Changed: true}).on("PUT", "/v1/discovery/payments", httpd.Ack{Index: 9})
	r := run{in: goodHCL}.do(t, a, "discovery", "apply", "-")
	if want := "Discovery orders is applied and runs now.\nDiscovery payments is unchanged.\n"; r.out != want || r.code != 0 {
		t.Errorf("exit %d, out %q, stderr %q", r.code, r.out, r.err)
	}
	want := []map[string]any{
		{
			"name": "orders", "backend": "consul", "config": map[string]any{"services": []any{"orders-*"}},
			"refresh": map[string]any{"interval": "10s"},
		},
		{"name": "payments", "backend": "file", "config": map[string]any{"files": []any{"/etc/muster/*.json"}}},
	}
	for i, got := range a.requests() {
		var body map[string]any
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], body); diff != "" {
			t.Errorf("%s (-want +got):\n%s", got.line, diff)
		}
	}
}

func TestWhatIsShownCanBeApplied(t *testing.T) {
	shown := run{}.do(t, fleet(t), "discovery", "show", "edge", "-format=json")
	a := newAPI(t).on("PUT", "/v1/discovery/edge", httpd.Ack{Index: 12})
	if r := (run{in: shown.out}).do(t, a, "discovery", "apply", "-"); r.code != 0 {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	if r := (run{in: shown.out}).do(t, nil, "validate", "-"); r.code != 0 {
		t.Errorf("validate: exit %d, %s", r.code, r.err)
	}
}

func TestNothingIsAppliedUnlessAllFilesCanBeRead(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.hcl"), filepath.Join(dir, "bad.json")
	write(t, good, goodHCL)
	write(t, bad, "{\n\"name\": \"x\",\n\"bakend\": \"consul\"\n}")
	a := newAPI(t)
	r := run{}.do(t, a, "discovery", "apply", good, bad)
	if want := bad + `:3: bakend is not known (did you mean "backend"?)`; r.code != 1 || !strings.Contains(r.err, want) {
		t.Errorf("exit %d, stderr %q; want %q", r.code, r.err, want)
	}
	if asked := a.requests(); len(asked) > 0 {
		t.Errorf("asked all the same: %v", asked)
	}
	r = run{}.do(t, a, "discovery", "apply", good, good)
	if want := `discovery "orders" is in ` + good + ":1, too"; r.code != 1 || !strings.Contains(r.err, want) {
		t.Errorf("exit %d, stderr %q; want %q", r.code, r.err, want)
	}
}

func TestWhatTheAPIRefusesIsToldWithItsLine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "orders.hcl")
	write(t, path, goodHCL)
	a := newAPI(t).fail("PUT", "/v1/discovery/orders", 400, map[string]any{
		"code": "invalid", "message": "config.services: is an odd one", "fields": map[string]string{"config.services": "is an odd one"},
	})
	r := run{}.do(t, a, "discovery", "apply", path)
	if want := path + ":3: config.services: is an odd one"; r.code != 1 || !strings.Contains(r.err, want) {
		t.Errorf("exit %d, stderr %q; want %q", r.code, r.err, want)
	}
}

func TestValidateJudgesAsAPeerWould(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"backend":  {"discovery \"a\" {\n backend = \"consl\"\n}", `x.hcl:2: backend: "consl" is none of`},
		"config":   {"discovery \"a\" {\n backend = \"file\"\n config = {\n  file = [\"/x.json\"]\n }\n}", `x.hcl:4: config.file: is not known`},
		"interval": {"discovery \"a\" {\n backend = \"file\"\n config = { files = [\"/x.json\"] }\n interval = \"1ms\"\n}", "x.hcl:4: interval: 1ms is shorter than 1s"},
		"filter":   {"discovery \"a\" {\n backend = \"file\"\n config = { files = [\"/x.json\"] }\n\n filter = \"((\"\n}", "x.hcl:5: filter"},
		"prober":   {"discovery \"a\" {\n backend = \"file\"\n config = { files = [\"/x.json\"] }\n refresh {\n  prober = \"redsi\"\n }\n}", "x.hcl:5: refresh.prober"},
		"nested":   {"discovery \"a\" {\n backend = \"file\"\n config = { files = [\"/x.json\"] }\n refresh {\n  prober = \"tcp\"\n  config = {\n   prot = 1\n  }\n }\n}", "x.hcl:7: refresh.config.prot"},
		"two":      {"discovery \"a\" {\n backend = \"fil\"\n}\ndiscovery \"b\" {\n backend = \"consol\"\n}", "x.hcl:5: backend"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "x.hcl")
			write(t, path, c.text)
			if r := (run{}).do(t, nil, "validate", path); r.code != 1 || !strings.Contains(r.err, c.want) {
				t.Errorf("exit %d, stderr %q; want %q", r.code, r.err, c.want)
			}
		})
	}
	if r := (run{in: goodHCL}).do(t, nil, "validate", "-"); r.code != 0 || r.out != "Good: 2 discoveries in 1 file.\n" {
		t.Errorf("exit %d, out %q, stderr %q", r.code, r.out, r.err)
	}
	if r := (run{}).do(t, nil, "validate", filepath.Join(dir, "none.hcl")); r.code != 1 {
		t.Errorf("a file that is not there: exit %d", r.code)
	}
}

func TestSecretsAreThoseMeantForNodes(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "secrets")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "redis"), "hush\n")
	write(t, filepath.Join(folder, "big"), strings.Repeat("x", 64<<10+1))
	write(t, filepath.Join(dir, "token"), "other")
	if err := os.Symlink(filepath.Join(dir, "token"), filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	env := func(k string) string {
		return map[string]string{"MUSTER_SECRET_REDIS": "quiet", "AWS_SECRET_ACCESS_KEY": "other"}[k]
	}
	for _, c := range []struct {
		secret refresh.Secret
		want   string // empty: refused
	}{
		{refresh.Secret{File: "redis"}, "hush"},
		{refresh.Secret{File: filepath.Join(folder, "redis")}, "hush"},
		{refresh.Secret{Variable: "MUSTER_SECRET_REDIS"}, "quiet"},
		{refresh.Secret{Variable: "MUSTER_SECRET_NONE"}, ""},
		{refresh.Secret{Variable: "AWS_SECRET_ACCESS_KEY"}, ""},
		{refresh.Secret{File: "../token"}, ""},
		{refresh.Secret{File: filepath.Join(dir, "token")}, ""},
		{refresh.Secret{File: "link"}, ""},
		{refresh.Secret{File: "big"}, ""},
		{refresh.Secret{File: "none"}, ""},
	} {
		got, err := cli.Reveal(folder, env, c.secret)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q, %v; want %q", c.secret, got, err, c.want)
		}
	}
	if _, err := cli.Reveal("", env, refresh.Secret{File: "redis"}); err == nil {
		t.Error("a peer without a data directory revealed a file")
	}
}
