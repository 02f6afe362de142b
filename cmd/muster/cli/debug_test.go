package cli_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/cmd/muster/bundle"
)

func TestDebugRefusesBeforeItWaits(t *testing.T) {
	there := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"is there already":                      {"-output", there},
		"no such file or directory":             {"-output", filepath.Join(there+".d", "x")},
		"-duration 1ms is not between":          {"-duration", "1ms"},
		"-interval 3m0s is not between":         {"-interval", "3m"},
		`-capture "pprof" is none of agent, ho`: {"-capture", "pprof"},
	} {
		a := fleet(t)
		if r := (run{}).do(t, a, append([]string{"debug"}, args...)...); r.code != 1 || !strings.Contains(r.err, want) || len(a.requests()) > 0 {
			t.Errorf("%v: %+v, asked %v", args, r, a.requests())
		}
	}
	if raw, err := os.ReadFile(there); err != nil || string(raw) != "precious" {
		t.Errorf("the file is %q, %v", raw, err)
	}
}

// TestDebugLeavesNothingOfAPeerThatIsNotThere: no archive without anything in it.
func TestDebugLeavesNothingOfAPeerThatIsNotThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bundle")
	r := run{}.do(t, nil, "debug", "-output", file)
	if _, err := os.Stat(file); r.code != 1 || !strings.Contains(r.err, "no peer answers") || !os.IsNotExist(err) {
		t.Errorf("%+v; the file: %v", r, err)
	}
}

func TestDebugTellsWhatCameOfIt(t *testing.T) {
	t.Chdir(t.TempDir())
	a := fleet(t).fail("GET", "/v1/operator/usage", http.StatusForbidden, map[string]any{"code": "forbidden", "message": "\x1b[31mno"})
	args := []string{"debug", "-duration", "1s", "-interval", "1s", "-capture", "usage", "-capture", "host"}
	r := run{}.do(t, a, args...)
	written, err := filepath.Glob("muster-debug-peer-a-*.tar.gz")
	if err != nil || len(written) != 1 || r.code != 0 || !strings.Contains(r.out, "Gathered 1 file of peer-a in 1") ||
		!strings.Contains(r.out, written[0]) || !strings.Contains(r.out, "2 files could not be had") {
		t.Errorf("%q, %+v", written, r)
	}
	if !strings.Contains(r.err, "  host.json\n") || !strings.Contains(r.err, "usage/000.json: ") || strings.Contains(r.err, "\x1b") {
		t.Errorf("stderr is %q", r.err)
	}
	r = run{}.do(t, a, append(args, "-format=json", "-output", "named")...)
	var told struct {
		File string
		bundle.Index
	}
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || told.File != "named" || told.Peer != "peer-a" || len(told.Files) != 3 {
		t.Errorf("%v: %+v of %s", err, told, r.out)
	}
	if info, err := os.Stat("named"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v", err)
	}
}
