package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cmd/muster/cli"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/sidecar"
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", "..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAgentOfTheDocumentation builds and asks the agent that docs/sidecar.md shows.
func TestAgentOfTheDocumentation(t *testing.T) {
	_, rest, found := strings.Cut(read(t, "docs", "sidecar.md"), "```go\n")
	source, _, ended := strings.Cut(rest, "```")
	port := strconv.Itoa(probetest.FreePort(t))
	if !found || !ended || strings.Count(source, ":8655") != 1 {
		t.Fatalf("there is no agent in it:\n%s", source)
	}
	dir := t.TempDir()
	path, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "agent")
	if err := os.WriteFile(path, []byte(strings.Replace(source, ":8655", ":"+port, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, path).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
	agent := &probetest.Process{Path: program}
	agent.Start(t)

	at := target(t, "127.0.0.1:"+port)
	through := prober(t, sidecar.New, "").(refresh.Conditional)
	want := fsm.Report{Node: at.Node, Reachable: true, State: fsm.StateUp, Kind: "mystore", Version: "1.0"}
	if diff := cmp.Diff(want, await(t, through, at, isState(fsm.StateUp))); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	first := through.ProbeIf(t.Context(), at, "")
	if again := through.ProbeIf(t.Context(), at, first.ETag); !again.NotModified {
		t.Errorf("with the tag %q: answer is %+v", first.ETag, again)
	}
}

// TestOptionsOfTheDocumentation looks up every option that the page, the unit and its example name.
func TestOptionsOfTheDocumentation(t *testing.T) {
	text := read(t, "docs", "sidecar.md") + read(t, "scripts", "systemd", "muster-sidecar-redis.env")
	command, _, err := cli.New(cli.Streams{}, cli.Build{}).Root().Find([]string{"sidecar"})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("(?:`| |\")-([a-z][a-z-]+)[ `]").FindAllStringSubmatch(text, -1) {
		named[m[1]] = true
	}
	for name := range named {
		if command.Flags().Lookup(name) == nil && name != "dev" { // which is an agent's
			t.Errorf("-%s is no option", name)
		}
	}
	if len(named) < 12 {
		t.Errorf("only %d options are named: %v", len(named), named)
	}
}
