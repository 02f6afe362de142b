package conf_test

import (
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/musterhq/muster/cmd/muster/conf"
)

var update = flag.Bool("update", false, "write the golden files anew")

// told is what the options of these tests are read into.
type told struct {
	Name, Addr, Level string
	N                 int
	On                bool
	Every             time.Duration
	Join, Allow       []string
	Labels            []string
	Dir               string
	Keep              int
	Sources           []conf.Source
}

// options are some of every kind.
func options() (*told, *pflag.FlagSet, *conf.Schema) {
	t, f := &told{}, pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.StringVar(&t.Name, "name", "", "`NAME`")
	f.StringVar(&t.Addr, "http-addr", "127.0.0.1:1", "`ADDRESS`")
	f.StringVar(&t.Level, "log-level", "info", "`LEVEL`")
	f.IntVar(&t.N, "expect", 3, "`N`")
	f.BoolVar(&t.On, "on", false, "on")
	f.DurationVar(&t.Every, "every", time.Minute, "`SPAN`")
	f.StringArrayVar(&t.Join, "join", nil, "`ADDRESS`")
	f.StringArrayVar(&t.Allow, "dial-allow", nil, "`CIDR`")
	f.StringArrayVar(&t.Labels, "label", nil, "`KEY=VALUE`")
	f.StringVar(&t.Dir, "backup-dir", "", "`DIR`")
	f.IntVar(&t.Keep, "backup-retain", 48, "`N`")
	f.Var(conf.Sources(&t.Sources, false), "config-file", "`FILE`")
	f.Var(conf.Sources(&t.Sources, true), "config-dir", "`DIR`")
	s := conf.Of(f)
	s.Absent("config-file", "config-dir")
	s.In("backup", "backup-dir", "backup-retain")
	s.In("dial", "dial-allow")
	s.Call("label", "labels")
	s.Pairs("label")
	s.Reloads("log-level", "join")
	s.Check(conf.Address, "http-addr")
	s.Check(conf.OneOf("info", "warn"), "log-level")
	s.Check(conf.Between(1, 9), "expect")
	s.Check(conf.AtLeast(time.Second), "every")
	s.Check(conf.CIDR, "dial-allow")
	return t, f, s
}

// tree writes files into a directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load reads a command line and the files it names, in a directory.
func load(t *testing.T, dir string, args ...string) (*told, *conf.Found, error) {
	t.Helper()
	t.Chdir(dir)
	out, f, s := options()
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	found, err := s.Load(out.Sources)
	out.Sources = nil
	return out, found, err
}

const everything = `
name      = "peer-a"
http_addr = "127.0.0.1:8650"
log_level = "warn"
expect    = 5
on        = true
every     = "1h30m"
join      = ["10.0.0.1", "10.0.0.2"]
labels    = { zone = "a", rack = "r7" }
backup {
  dir    = "/b"
  retain = 7
}
dial {
  allow = ["10.0.0.0/8"]
}
discovery "orders" {
  backend = "file"
}
`

const everythingInJSON = `{"name": "peer-a", "http_addr": "127.0.0.1:8650", "log_level": "warn", "expect": 5, "on": true,
 "every": "1h30m", "join": ["10.0.0.1", "10.0.0.2"], "labels": {"zone": "a", "rack": "r7"},
 "backup": {"dir": "/b", "retain": 7}, "dial": {"allow": ["10.0.0.0/8"]}, "discovery": {"orders": {"backend": "file"}}}`

func TestBothSyntaxesSayTheSame(t *testing.T) {
	want := &told{
		Name: "peer-a", Addr: "127.0.0.1:8650", Level: "warn", N: 5, On: true, Every: 90 * time.Minute,
		Join: []string{"10.0.0.1", "10.0.0.2"}, Allow: []string{"10.0.0.0/8"}, Labels: []string{"rack=r7", "zone=a"}, Dir: "/b", Keep: 7,
	}
	dir := tree(t, map[string]string{"a.hcl": everything, "a.json": everythingInJSON})
	for _, name := range []string{"a.hcl", "a.json"} {
		got, found, err := load(t, dir, "--config-file", name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(found.Discoveries) != 1 || found.Discoveries[0].Name != "orders" || found.Discoveries[0].Spec.Backend != "file" {
			t.Errorf("%s: discoveries %+v", name, found.Discoveries)
		}
	}
}

func TestWhoWins(t *testing.T) {
	dir := tree(t, map[string]string{
		"first.hcl":  `name = "first"` + "\nexpect = 1\njoin = [\"a\"]\nlabels { zone = \"a\" }",
		"d/20.json":  `{"name": "twenty", "join": ["c"], "labels": {"rack": "r2"}}`,
		"d/10.hcl":   `name = "ten"` + "\nexpect = 2\non = true\njoin = [\"b\"]\nlabels { zone = \"b\" }",
		"d/.x.hcl":   `name = "hidden"` + "\nevery = \"2h\"",
		"d/note.txt": "no settings",
		"d/s/30.hcl": `name = "deeper"`,
		"last.hcl":   `name = null` + "\nexpect = 4",
	})
	for _, c := range []struct {
		name string
		args []string
		want told
	}{
		{"later files", []string{"--config-file", "first.hcl", "--config-dir", "d"}, told{
			Name: "twenty", N: 2, On: true, Join: []string{"a", "b", "c"}, Labels: []string{"rack=r2", "zone=b"},
		}},
		{"the order of the command line", []string{"--config-dir", "d", "--config-file", "first.hcl"}, told{
			Name: "first", N: 1, On: true, Join: []string{"b", "c", "a"}, Labels: []string{"rack=r2", "zone=a"},
		}},
		{"null says nothing", []string{"--config-file", "first.hcl", "--config-file", "last.hcl"}, told{
			Name: "first", N: 4, Join: []string{"a"}, Labels: []string{"zone=a"},
		}},
		{"options over files, and lists gather", []string{
			"--config-dir", "d", "--name", "given", "--on=false", "--join", "z", "--label", "zone=z", "--label", "dc=1",
		}, told{Name: "given", N: 2, Join: []string{"b", "c", "z"}, Labels: []string{"zone=z", "dc=1", "rack=r2"}}},
		{"no files", []string{"--name", "x"}, told{Name: "x", N: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Addr, c.want.Level, c.want.Every, c.want.Keep = "127.0.0.1:1", "info", time.Minute, 48
			got, _, err := load(t, dir, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFaults holds the exact messages for bad files: testdata/faults.txt has each with what is said of it.
func TestFaults(t *testing.T) {
	const path = "testdata/faults.txt"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for piece := range strings.SplitSeq(strings.TrimPrefix(string(raw), "=== "), "\n=== ") {
		name, rest, _ := strings.Cut(piece, "\n")
		text, _, _ := strings.Cut(rest, "\n--- ")
		_, _, err := load(t, tree(t, map[string]string{name: text}), "--config-file", name)
		if err == nil {
			t.Errorf("%s:\n%s\nis not refused", name, text)
			continue
		}
		out.WriteString("=== " + name + "\n" + text + "\n--- " + strings.ReplaceAll(err.Error(), "\n", "\n--- ") + "\n")
	}
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(raw), out.String()); diff != "" && !*update {
		t.Errorf("what is said has changed (-was +is):\n%s", diff)
	}
}

func TestFaultsOfAllFilesAreToldAtOnce(t *testing.T) {
	dir := tree(t, map[string]string{
		"a.hcl":  "expct = 1\ndiscovery \"x\" {\n backend = \"file\"\n}",
		"b.json": "{\"on\": 1,\n\"discovery\": {\"x\": {\"backend\": \"file\"}}}",
	})
	_, _, err := load(t, dir, "--config-file", "a.hcl", "--config-file", "b.json")
	want := `a.hcl:1: expct is not known (did you mean "expect"?)
b.json:1: on is 1; wanted is true or false
b.json:2: discovery "x" is in a.hcl:2, too`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant:\n%s", err, want)
	}
	for args, want := range map[string]string{
		"--config-file none.hcl": "none.hcl is not there; see -config-file and -config-dir",
		"--config-dir a.hcl":     "a.hcl is a file: name it with -config-file",
		"--config-file .":        ". is a directory: name it with -config-dir",
	} {
		if _, _, err := load(t, dir, strings.Fields(args)...); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

func TestErrorsAboutOptionsNameTheirPlace(t *testing.T) {
	dir := tree(t, map[string]string{"a.hcl": everything})
	_, found, err := load(t, dir, "--config-file", "a.hcl")
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("-http-addr is odd without -backup-dir and -none")
	want := cause.Error() + "\n-http-addr is set in a.hcl:3\n-backup-dir is set in a.hcl:11"
	if err := found.Explain(cause); err.Error() != want || !errors.Is(err, cause) {
		t.Errorf("%v\nwant:\n%s", err, want)
	}
	if err := found.Explain(nil); err != nil {
		t.Error(err)
	}
	_, found, err = load(t, dir, "--config-file", "a.hcl", "--http-addr", "127.0.0.1:7", "--join", "x")
	if err != nil {
		t.Fatal(err)
	}
	cause = errors.New("-http-addr is odd beside -join")
	if err := found.Explain(cause); err.Error() != cause.Error()+"\n-join is set in a.hcl:8" {
		t.Errorf("what the command line said is blamed on a file: %v", err)
	}
}

func TestACommandLineCanBeSaidAgain(t *testing.T) {
	dir := tree(t, map[string]string{"a.hcl": "name = \"filed\"\njoin = [\"a\"]\nexpect = 2"})
	t.Chdir(dir)
	first, f, s := options()
	if err := f.Parse([]string{"--config-file", "a.hcl", "--expect", "7", "--every", "2h", "--join", "b, c", "--on"}); err != nil {
		t.Fatal(err)
	}
	given := s.Given()
	if _, err := s.Load(first.Sources); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("a.hcl", []byte("name = \"anew\"\njoin = [\"d\"]\nexpect = 4"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, _, s2 := options()
	if err := s2.Again(given); err != nil {
		t.Fatal(err)
	}
	if _, err := s2.Load(first.Sources); err != nil {
		t.Fatal(err)
	}
	if len(second.Sources) > 0 {
		t.Errorf("the files are said again: %v", second.Sources)
	}
	if second.Name != "anew" || second.N != 7 || second.Every != 2*time.Hour || !second.On || !slices.Equal(second.Join, []string{"d", "b, c"}) {
		t.Errorf("%+v", second)
	}
	var changed []string
	old := map[string]string{}
	for _, s := range s.Settings() {
		old[s.Path] = s.Value
	}
	for _, s := range s2.Settings() {
		if s.Value != old[s.Path] {
			changed = append(changed, s.Path)
		}
		if want := s.Path == "log_level" || s.Path == "join"; s.Reloads != want {
			t.Errorf("%s reloads: %t", s.Path, s.Reloads)
		}
	}
	if diff := cmp.Diff([]string{"join", "name"}, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	want := []string{"backup.dir", "backup.retain", "dial.allow", "every", "expect", "http_addr", "join", "labels", "log_level", "name", "on"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(old))); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

// FuzzLoad: no file makes reading fail in any way but with an error that names a file, and what is taken over is in bounds.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{everything, everythingInJSON, "", "{", "[", "backup = 1", `{"backup": {"dir": {}}}`, "labels { a = 1 }", "expect = 1e99999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"x.hcl", "x.json"} {
			out, _, s := options()
			_, err := s.LoadFiles([]string{name}, func(string) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(text)), nil
			})
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					if !strings.Contains(line, name) {
						t.Errorf("%q names no file", line)
					}
				}
				continue
			}
			if out.N < 1 || out.N > 9 || out.Every < time.Second || conf.Address(out.Addr) != nil {
				t.Errorf("%q was taken over as %+v", text, out)
			}
		}
	})
}

func TestAMistakeInTheSchemaIsTold(t *testing.T) {
	_, _, s := options()
	s.Reloads("nope")
	if _, err := s.Load(nil); err == nil || !strings.Contains(err.Error(), "no option -nope") {
		t.Errorf("%v", err)
	}
}
