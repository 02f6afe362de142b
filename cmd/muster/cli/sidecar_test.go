package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestSidecarHelp(t *testing.T) {
	args := []string{"sidecar", "-help"}
	kinds := regexp.MustCompile(`(one of the kinds )[a-z0-9, ]+\.`)
	golden(t, "help_sidecar", kinds.ReplaceAllString(shown(args, run{}.do(t, nil, args...)), "${1}KINDS."))
}

func TestSidecarOptionsRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "options.json")
	if err := os.WriteFile(file, []byte(`{"tls": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const redis = "redis://127.0.0.1:6379"
	for _, c := range []struct {
		args   []string
		wanted string
	}{
		{nil, "no -probe: say which store to ask"},
		{[]string{"-probe", "127.0.0.1:6379"}, "-probe is no URL"},
		{[]string{"-probe", "redis://hunter2:127.0.0.1"}, "-probe"},
		{[]string{"-probe", "redis://127.0.0.1"}, "-probe names no host and port"},
		{[]string{"-probe", "redis://:6379"}, "-probe names no host and port"},
		{[]string{"-probe", "redis://127.0.0.1:0"}, "-probe names no host and port"},
		{[]string{"-probe", "redis://muster:hunter2@127.0.0.1:6379"}, "password_file=FILE"},
		{[]string{"-probe", redis + "?password=hunter2"}, `option "password" would put a secret`},
		{[]string{"-probe", "rediss://127.0.0.1:6379"}, `-probe: "rediss" is none of`},
		{[]string{"-probe", redis + "/0"}, `option "path" is not known; this prober takes`},
		{[]string{"-probe", redis + "?tls=maybe"}, `option "tls" is of the type string; wanted is true or false`},
		{[]string{"-probe", redis + "?tls=true&tls=true"}, `option "tls" twice`},
		{[]string{"-probe", redis + "#x"}, "-probe: what follows #"},
		{[]string{"-probe", redis, "-config", "tls"}, "-config is not a JSON object"},
		{[]string{"-probe", redis, "-config", "null"}, "-config is not a JSON object"},
		{[]string{"-probe", redis, "-config-file", file + "x"}, "-config-file: "},
		{[]string{"-probe", redis, "-config-file", file, "-config", `{"tls": true}`}, `option "tls" is given twice`},
		{[]string{"-probe", redis, "-attribute", "zone"}, "-attribute"},
		{[]string{"-probe", redis, "-listen", "here"}, "-listen: "},
		{[]string{"-probe", redis, "-listen", "0.0.0.0:0"}, "-insecure"},
		{[]string{"-probe", redis, "-timeout", "1h"}, "-timeout"},
		{[]string{"-probe", redis, "-log-level", "loud"}, "-log-level"},
		{[]string{"-probe", redis, "more"}, "takes no argument"},
	} {
		args := append([]string{"sidecar", "-listen", "127.0.0.1:0"}, c.args...)
		r := run{}.do(t, nil, args...)
		if r.code != 1 || !strings.Contains(r.err, c.wanted) {
			t.Errorf("%q: exit %d, stderr %q, wanted is %q", c.args, r.code, r.err, c.wanted)
		}
		if strings.Contains(r.err, "hunter2") {
			t.Errorf("%q: the error repeats the password: %s", c.args, r.err)
		}
	}
}
