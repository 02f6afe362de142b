package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/fsm"
)

// guarded writes what a later release may have left in a directory.
func guarded(t *testing.T, path, file string, content []byte) {
	t.Helper()
	at := filepath.Join(path, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, content, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// raised is a snapshot of a group at a feature level.
func raised(t *testing.T, level uint32) []byte {
	t.Helper()
	s, b := fsm.NewState(), bytes.Buffer{}
	_, err := s.Apply(1, fsm.Entry(1, fsm.Frame(&fsm.GroupCreate{Group: "g", Epoch: "e", Feature: level})))
	if err = errors.Join(err, s.Read().WriteSnapshot(&b)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// filesIn are all files of a directory.
func filesIn(t *testing.T, path string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(path, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(at)
		out[at] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestUpgradeGuardsTheDirectory starts a peer on what other releases may have left: what a later one has written is refused with
// both versions and the way out, and stays byte for byte as it was.
func TestUpgradeGuardsTheDirectory(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		for i, test := range []struct {
			file    string
			content []byte
			newer   bool
			says    []string
		}{
			{datadir.FileGuard, fmt.Appendf(nil, `{"format":1,"feature_level":%d,"version":"9.9.9"}`, nowLevel), false, nil}, // not raised yet
			{datadir.FileGuard, fmt.Appendf(nil, `{"format":1,"feature_level":%d,"version":"2.3.4"}`, nextLevel), true, []string{"2.3.4", "1.2.3", nextWord}},
			{datadir.FileGuard, []byte(`{"format":2,"feature_level":1,"version":"2.3.4"}`), true, []string{"2.3.4", "1.2.3", "format 2"}},
			{datadir.FileGuard, []byte(`{"format":`), false, []string{datadir.FileGuard}},
			{"snapshots/3-40-1700000000000/state.bin", raised(t, nowLevel), false, nil},
			{"snapshots/3-40-1700000000000/state.bin", raised(t, nextLevel), true, []string{"3-40-1700000000000", "1.2.3", nextWord}},
			{"snapshots/3-40-1700000000000.tmp/state.bin", raised(t, nextLevel), false, nil},
		} {
			p := w.add(fmt.Sprintf("peer-%c", 'a'+i))
			guarded(t, p.dir, test.file, test.content)
			before := filesIn(t, p.dir)
			err := p.tryStart(func(c *Config) { c.Version, c.BootstrapExpect = "1.2.3", 1 })
			if errors.Is(err, fsm.ErrNewer) != test.newer || (err == nil) != (len(test.says) == 0) {
				t.Errorf("%s %.60q: %v", test.file, test.content, err)
			}
			for _, s := range test.says {
				if !strings.Contains(fmt.Sprint(err), s) {
					t.Errorf("the error does not say %q: %v", s, err)
				}
			}
			if diff := cmp.Diff(before, filesIn(t, p.dir)); err != nil && diff != "" {
				t.Errorf("%s: it was refused and changed:\n%s", test.file, diff)
			}
			p.end()
		}
	})
}

// TestGuardFollowsTheGroup looks at what peers write: at the level of their group, with the program that was first there.
func TestGuardFollowsTheGroup(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		says := func(p *peer, want datadir.Guard) {
			t.Helper()
			w.until("the guard", func() bool {
				var got datadir.Guard
				return p.Agent.dir.Read(datadir.FileGuard, &got) == nil && got == want
			})
		}
		for _, p := range w.peers {
			says(p, datadir.Guard{Format: 1, Feature: nowLevel})
		}
		for _, then := range []struct {
			level   uint32
			version string // that first wrote so
		}{{nowLevel, ""}, {nextLevel, "2.0.0"}} {
			for _, p := range w.peers {
				p.end()
				p.start(func(c *Config) {
					c.Version = "2.0.0"
					release(then.level)(c)
				})
			}
			for _, p := range w.peers {
				p.await("the feature level", atLevel(then.level))
			}
			w.pass(time.Second)
			for _, p := range w.peers {
				says(p, datadir.Guard{Format: 1, Feature: then.level, Version: then.version})
			}
		}
	})
}
