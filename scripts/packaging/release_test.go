package packaging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/musterhq/muster/scripts/rig"
)

// tree is a copy of the sources as they are, committed in a repository of its own.
type tree struct {
	*testing.T
	dir string
}

func newTree(t *testing.T) *tree {
	t.Helper()
	root, err := rig.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &tree{t, filepath.Join(t.TempDir(), "muster")}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.does("sh", "-c", `tar -C "$0" --exclude=./.git --exclude=./.cache --exclude=./bin --exclude=./dist -cf - . | tar -xf -`, root)
	w.does("sh", "-c", `sed 's/^## Unreleased/## v1.2.3 (a day)/' CHANGELOG.md >new && mv new CHANGELOG.md && printf '\n## v1.2.2\n\nOlder.\n' >>CHANGELOG.md`)
	w.does("git", "init", "-q")
	w.does("git", "add", "-A")
	w.does("git", "commit", "-q", "-m", "all")
	return w
}

func (w *tree) run(args ...string) (string, error) {
	cmd := exec.CommandContext(w.Context(), args[0], args[1:]...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "PLATFORMS=linux/"+runtime.GOARCH, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost", "GIT_COMMITTER_DATE=1700000000 +0000")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *tree) does(args ...string) string {
	w.Helper()
	out, err := w.run(args...)
	if err != nil {
		w.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

// refuses is a release that must not be made, and why.
func (w *tree) refuses(version, why string) {
	w.Helper()
	if out, err := w.run("make", "release", "VERSION="+version); err == nil || !strings.Contains(out, why) {
		w.Errorf("release %q: %v; wanted is %q:\n%s", version, err, why, out)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "dist", "*")); len(left) > 0 {
		w.Errorf("release %q left %s", version, left)
	}
}

// TestRelease makes a release for this machine of a copy of the sources, and looks into what came out.
func TestRelease(t *testing.T) {
	if testing.Short() {
		return
	}
	w := newTree(t)
	w.refuses("1.2.3", "is no version")
	w.refuses("v1.2.3", "there is no tag v1.2.3")
	w.does("git", "tag", "v1.2.3")
	w.does("git", "tag", "v1.2.4")
	w.refuses("v1.2.4", `has nothing under "## v1.2.4"`)
	w.does("touch", "stray.go")
	w.refuses("v1.2.3", "stray.go")
	w.does("rm", "stray.go")
	w.does("git", "commit", "-q", "--allow-empty", "-m", "one more")
	w.refuses("v1.2.3", "the tag v1.2.3 is at")
	w.does("git", "reset", "-q", "--hard", "v1.2.3")

	w.does("make", "release", "VERSION=v1.2.3")
	name := "muster_1.2.3_linux_" + runtime.GOARCH
	out := filepath.Join(w.dir, "dist", "v1.2.3")
	var got []string
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{"NOTES.md", "SHA256SUMS", "muster_1.2.3_" + runtime.GOARCH + ".deb", name + ".cdx.json", name + ".tar.gz"}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("made are %q, wanted %q", got, want)
	}
	w.does("sh", "-c", "cd dist/v1.2.3 && sha256sum --check --strict SHA256SUMS && test $(wc -l <SHA256SUMS) = 4")
	// The same bytes come from whoever makes it again: nothing is of this user, this time or this folder.
	for line := range strings.Lines(w.does("tar", "-tzvf", filepath.Join(out, name+".tar.gz"), "--full-time", "--utc")) {
		if !strings.Contains(line, " 0/0 ") || !strings.Contains(line, "2023-11-14 22:13:20") || !strings.Contains(line, name+"/") {
			t.Errorf("the archive has %s", line)
		}
	}
	w.does("tar", "-xzf", filepath.Join(out, name+".tar.gz"))
	commit := strings.TrimSpace(w.does("git", "rev-parse", "HEAD"))
	if said := w.does(filepath.Join(name, "muster"), "version"); !strings.Contains(said, "v1.2.3 ("+commit) {
		t.Errorf("the program says %q", said)
	}
	if said := w.does("go", "version", "-m", filepath.Join(name, "muster")); !strings.Contains(said, "-trimpath=true") ||
		!strings.Contains(said, "CGO_ENABLED=0") {
		t.Errorf("the program was built so:\n%s", said)
	}
	if notes := w.does("cat", filepath.Join(out, "NOTES.md")); !strings.Contains(notes, "**Peers.**") || strings.Contains(notes, "Older.") {
		t.Errorf("the notes are\n%s", notes)
	}
	materials(t, filepath.Join(out, name+".cdx.json"))
}

// materials checks a bill of materials.
func materials(t *testing.T, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BOMFormat  string
		Components []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(raw, &bill); err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	has := map[string]string{}
	for _, c := range bill.Components {
		if c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("%s %s is %s", c.Name, c.Version, c.PURL)
		}
		has[c.Name] = c.Version
	}
	if bill.BOMFormat != "CycloneDX" || !strings.HasPrefix(has["github.com/hashicorp/raft"], "v1.") ||
		has["stdlib"] != strings.TrimPrefix(runtime.Version(), "go") {
		t.Errorf("the bill is\n%s", raw)
	}
}

// TestDockerfile holds the image to what is there: its files, the target of make, and commands that the program has.
func TestDockerfile(t *testing.T) {
	if testing.Short() {
		return
	}
	raw, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	program := build(t)
	seen := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		seen[fields[0]]++
		switch fields[0] {
		case "COPY":
			copied(t, fields[1:])
		case "RUN":
			if fields[1] == "make" && !dryRun(t, fields[2], "-o 'bin/muster' ./cmd/muster") {
				t.Errorf("%q does not make bin/muster", line)
			}
		case "HEALTHCHECK":
			// Nobody listens there: that, and no unknown option, must be the complaint.
			_, list, _ := strings.Cut(line, "CMD ")
			if out := starts(t, program, list, "-http-addr=127.0.0.1:1"); !strings.Contains(out, "127.0.0.1:1") {
				t.Errorf("%q says %s", line, out)
			}
		case "CMD":
			if out := starts(t, program, strings.Replace(strings.TrimPrefix(line, "CMD "), "[", `["/usr/bin/muster",`, 1), "-help"); !strings.Contains(out, "Usage: muster agent") {
				t.Errorf("%q says %s", line, out)
			}
		}
	}
	for _, instruction := range []string{"COPY", "RUN", "HEALTHCHECK", "CMD", "USER"} {
		if seen[instruction] == 0 {
			t.Errorf("there is no %s", instruction)
		}
	}
}

// copied checks that what COPY names of the sources is there.
func copied(t *testing.T, args []string) {
	t.Helper()
	for _, from := range args[:len(args)-1] {
		made := from == "/src/bin/muster" || strings.HasPrefix(from, "--")
		from, inside := strings.CutPrefix(from, "/src/")
		if made || !inside && strings.HasPrefix(from, "/") {
			continue
		}
		if _, err := os.Stat(filepath.Join("..", "..", from)); err != nil {
			t.Error(err)
		}
	}
}

func dryRun(t *testing.T, target, command string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "--dry-run", target).CombinedOutput()
	if err != nil {
		t.Fatalf("make --dry-run %s: %v\n%s", target, err, out)
	}
	return bytes.Contains(out, []byte(command))
}

// starts runs the program with the arguments of a list in JSON that begins with the program, and more.
func starts(t *testing.T, program, list string, more ...string) string {
	t.Helper()
	var args []string
	if err := json.Unmarshal([]byte(list), &args); err != nil || args[0] != "/usr/bin/muster" {
		t.Fatalf("%s is no list of a command: %v", list, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, _ := exec.CommandContext(ctx, program, append(args[1:], more...)...).CombinedOutput()
	return string(out)
}
