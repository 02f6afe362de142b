package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// founding is the data directory of a stopped peer that has promised itself to another one, or of one in a group.
func founding(t *testing.T, to, group string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"peer.json":     `{"id":"01B","group":"muster","group_id":"` + group + `"}`,
		"promises.json": `{"version":1,"promises":{"id":"01B","to":"` + to + `","serial":4}}`,
		"raft.db":       "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReleasePromise(t *testing.T) {
	dir := founding(t, "01A", "")
	for _, c := range []struct {
		args []string
		say  string
		code int
	}{
		{nil, "add -holder 01A", 1},
		{[]string{"-holder", "01C"}, `is promised to "01A", not to "01C"`, 1},
		{[]string{"-holder", "01A"}, "Done.", 0},
		{nil, "promised to nobody", 0},
		{[]string{"-holder", "01A"}, "is promised to", 1},
	} {
		r := run{}.do(t, nil, append([]string{"operator", "release-promise", "-data-dir", dir}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.out+r.err, c.say) {
			t.Errorf("%v: exit %d, %q %q; wanted is %q", c.args, r.code, r.out, r.err, c.say)
		}
	}
	if r := (run{}).do(t, nil, "operator", "release-promise", "-data-dir", founding(t, "01A", "01GROUP"), "-holder", "01A"); r.code != 1 ||
		!strings.Contains(r.err, "is in the group 01GROUP") {
		t.Errorf("of a peer in a group: exit %d, %q", r.code, r.err)
	}
	if r := (run{}).do(t, nil, "operator", "release-promise"); r.code != 1 || !strings.Contains(r.err, "-data-dir") {
		t.Errorf("without a directory: exit %d, %q", r.code, r.err)
	}
}
