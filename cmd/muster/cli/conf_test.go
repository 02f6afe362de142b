package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/musterhq/muster/cmd/muster/cli"
)

// TestEveryOptionIsASettingAndTheReverse: what may be said on the command line may be said in a file, and nothing else may.
func TestEveryOptionIsASettingAndTheReverse(t *testing.T) {
	agent, _, err := cli.New(cli.Streams{}, cli.Build{}).Root().Find([]string{"agent"})
	if err != nil {
		t.Fatal(err)
	}
	options := 0
	agent.LocalFlags().VisitAll(func(f *pflag.Flag) {
		switch f.Name {
		case "help", "config-file", "config-dir":
		default:
			options++
		}
	})
	paths := map[string]bool{}
	for _, s := range cli.Settings() {
		paths[s.Path] = true
		if s.Path != strings.ToLower(s.Path) || strings.ContainsAny(s.Path, "- ") || strings.Count(s.Path, ".") > 1 {
			t.Errorf("setting %q", s.Path)
		}
		if paths[strings.Split(s.Path, ".")[0]] && strings.Contains(s.Path, ".") {
			t.Errorf("%s is a block and a setting", s.Path)
		}
	}
	if len(paths) != options || options < 15 {
		t.Errorf("%d options and %d settings", options, len(paths))
	}
}

func TestAPeersConfigurationIsToldWithItsPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.hcl")
	for name, c := range map[string]struct {
		text string
		args []string
		want []string
	}{
		"in a file":      {"\nhtp_addr = \"127.0.0.1:0\"", nil, []string{path + `:2: htp_addr is not known (did you mean "http_addr"?)`}},
		"of the whole":   {"dev = true\n\ngossip_addr = \"10.0.0.1:0\"", nil, []string{"-gossip-addr 10.0.0.1:0 is not on loopback", "-gossip-addr is set in " + path + ":3"}},
		"options win":    {"dev = true\nworker = false", []string{"-worker"}, []string{"leave -worker out", "-dev is set in " + path + ":1"}},
		"option's fault": {"dev = true", []string{"-raft-multiplier", "x"}, []string{`invalid argument "x" for "-raft-multiplier"`}},
		"block":          {"dev = true\nbackup {\n  dir = \"/b\"\n  interval = \"1ms\"\n}", nil, []string{path + ":4: backup.interval: 1ms is shorter than 1s"}},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, c.text)
			r := run{}.do(t, nil, append([]string{"agent", "-config-file", path}, c.args...)...)
			for _, want := range c.want {
				if r.code != 1 || !strings.Contains(r.err, want) {
					t.Errorf("exit %d, stderr %q; want %q", r.code, r.err, want)
				}
			}
		})
	}
}

const page = "../../../docs/configuration.md"

// TestConfigurationIsDocumented: what docs/configuration.md says of the settings is what the program declares.
func TestConfigurationIsDocumented(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const from = "\n## Settings\n\n"
	head, was, found := strings.Cut(string(raw), from)
	if !found {
		t.Fatalf("%s has no %q", page, from)
	}
	is := cli.Reference()
	if *update {
		write(t, page, head+from+is)
		return
	}
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("%s is not what the program takes; go test ./cmd/muster/cli -run Documented -update writes it (-is +would be):\n%s", page, diff)
	}
}

// TestExamplesOfConfigurationAreGood: each file that docs/configuration.md shows is one that a peer takes.
func TestExamplesOfConfigurationAreGood(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for i, block := range strings.Split(string(raw), "```") {
		syntax, text, _ := strings.Cut(block, "\n")
		if i%2 == 0 || syntax != "hcl" && syntax != "json" {
			continue
		}
		seen++
		path := filepath.Join(t.TempDir(), "example."+syntax)
		write(t, path, text)
		if r := (run{}).do(t, nil, "validate", path); r.code != 0 {
			t.Errorf("an example is refused: %s\n%s", r.err, text)
		}
	}
	if seen < 3 {
		t.Errorf("only %d examples were seen", seen)
	}
}
