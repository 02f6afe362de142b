package cli_test

import (
	"encoding/json"
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
