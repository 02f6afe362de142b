package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// TestTokensOnDisk makes tokens on a peer by the command line, uses them, has the process dump its stacks and die, and looks
// through all that it left: the tokens are good for the next life, and their secrets are nowhere.
func TestTokensOnDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, p := w.lone("peer-a")
	w.must(p.Start("-bootstrap-expect", "1", "-acl", "-log-level", "debug"))
	w.must(g.Ready(w.soon()))
	var first, reader httpd.TokenMade
	w.until("the first token", func(context.Context) error { // not before the group knows of tokens
		r := w.muster("acl", "bootstrap", "-data-dir", p.Data, at(p.HTTP), "-format=json")
		if r.code != 0 {
			return fmt.Errorf("%s", r.stderr)
		}
		return json.Unmarshal([]byte(r.stdout), &first)
	})
	file := filepath.Join(t.TempDir(), "token")
	w.must(os.WriteFile(file, []byte(first.Secret+"\n"), 0o600))
	made := w.muster("acl", "token", "create", "-role", "read", "-token-file", file, at(p.HTTP), "-format=json")
	w.must(json.Unmarshal([]byte(made.stdout), &reader))
	if r := w.muster("settings", "set", "-voters", "3", "-token", reader.Secret, at(p.HTTP)); r.code != 1 || !strings.Contains(r.stderr, "needs the role manage") {
		t.Errorf("who may read sets: %+v", r)
	}
	for _, args := range [][]string{
		{"settings", "set", "-voters", "3"},
		{"event", "list"},
		{"acl", "token", "list"},
		{"info"},
		{"snapshot", "save", filepath.Join(p.Data, "caught.backup")},
	} {
		if r := w.muster(append(args, "-token-file", file, at(p.HTTP))...); r.code != 0 {
			t.Errorf("%q: %+v", args, r)
		}
	}
	w.must(p.Signal(syscall.SIGQUIT))
	<-p.Done()
	log, err := os.ReadFile(p.Log)
	w.must(err)
	if !bytes.Contains(log, []byte("goroutine")) {
		t.Error("the process has dumped no stacks")
	}
	w.must(filepath.WalkDir(w.rig.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, made := range []httpd.TokenMade{first, reader} {
			if bytes.Contains(raw, []byte(made.Secret)) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return err
	}))
	w.must(p.Start("-acl"))
	w.must(g.Ready(w.soon()))
	if r := w.muster("acl", "token", "show", "-token", reader.Secret, at(p.HTTP), "-format=json"); r.code != 0 || !strings.Contains(r.stdout, string(fsm.MayRead)) {
		t.Errorf("after a new start: %+v", r)
	}
}
