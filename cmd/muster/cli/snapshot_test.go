package cli_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// archive is a backup of a small state, to which more commands may lead.
func archive(t *testing.T, more ...fsm.Command) []byte {
	t.Helper()
	s := fsm.NewState()
	for i, c := range append([]fsm.Command{
		&fsm.GroupCreate{Group: "01GROUP", Epoch: "01EPOCH", Feature: 1},
		&fsm.PeerSet{Peer: fsm.Peer{ID: "p1", Name: "peer-a", Status: fsm.PeerAlive}},
		&fsm.LeaderChange{ID: "p1", Name: "peer-a", Term: 2},
	}, more...) {
		if _, err := s.Apply(uint64(10+i), fsm.Entry(fsm.TimeOf(now), fsm.Frame(c))); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := backup.Write(&b, s.Read()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// serving is a fake peer that leads, or not, and gives a backup.
func serving(t *testing.T, state string, archive []byte) *api {
	t.Helper()
	return newAPI(t).on("GET", "/v1/agent/self", httpd.Self{State: state}).
		do("GET", "/v1/snapshot", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
}

func TestSnapshotSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "muster.backup")
	whole := archive(t)
	r := run{}.do(t, serving(t, "follower", whole[:len(whole)-4]), "snapshot", "save", path)
	if _, err := os.Stat(path); r.code != 1 || !strings.Contains(r.err, "cut short") || err == nil {
		t.Errorf("half a backup was saved: %+v, %v", r, err)
	}
	a := serving(t, "follower", whole)
	r = run{}.do(t, a, "snapshot", "save", path, "-stale")
	if r.code != 0 || r.out != "Saved and verified snapshot to index 12\n" {
		t.Errorf("save: %+v", r)
	}
	if raw, err := os.ReadFile(path); err != nil || !bytes.Equal(raw, whole) {
		t.Errorf("the file is another one: %v", err)
	}
	if got := a.requests()[0].line; got != "GET /v1/snapshot?stale=" {
		t.Errorf("asked %s", got)
	}
}

func TestSnapshotInspect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "muster.backup")
	whole := archive(t)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot_inspect", shown([]string{"snapshot", "inspect", "-"}, run{in: string(whole)}.do(t, nil, "snapshot", "inspect", "-")))
	r := run{}.do(t, nil, "snapshot", "inspect", path, "-format=json")
	var got struct {
		Index uint64
		Kinds []fsm.Count
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.Index != 12 || len(got.Kinds) == 0 || r.code != 0 {
		t.Errorf("as JSON: %+v, %v", r, err)
	}
	if err := os.WriteFile(path, whole[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if r := (run{}).do(t, nil, "snapshot", "inspect", path); r.code != 1 || !strings.Contains(r.err, path+": read backup:") {
		t.Errorf("a damaged one: %+v", r)
	}
}

func TestSnapshotRestore(t *testing.T) {
	a := newAPI(t).on("PUT", "/v1/snapshot", httpd.Restored{Epoch: "01NEW"})
	r := run{in: "the backup"}.do(t, a, "snapshot", "restore", "-")
	if r.code != 0 || r.out != "Restored snapshot; the group goes on in epoch 01NEW\n" {
		t.Errorf("restore: %+v", r)
	}
	if q := a.requests()[0]; q.body != "the backup" {
		t.Errorf("sent %q", q.body)
	}
	a.fail("PUT", "/v1/snapshot", http.StatusBadRequest, map[string]any{"code": "invalid", "message": "it is no backup"})
	if r := (run{in: "x"}).do(t, a, "snapshot", "restore", "-"); r.code != 1 || !strings.Contains(r.err, "it is no backup") {
		t.Errorf("refused: %+v", r)
	}
}

func TestSnapshotAgentOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "backups")
	whole := archive(t)
	files := func() int {
		all, _ := os.ReadDir(dir)
		return len(all)
	}
	r := run{}.do(t, serving(t, "follower", whole), "snapshot", "agent", "-once", "-leader-only", "-dir", dir)
	if r.code != 0 || !strings.Contains(r.out, "does not lead") || files() != 0 {
		t.Errorf("beside a follower, which is not to save: %+v, %d files", r, files())
	}
	for _, args := range [][]string{{"follower"}, {"leader"}, {"leader", "-leader-only"}} {
		r = run{}.do(t, serving(t, args[0], whole), append([]string{"snapshot", "agent", "-once", "-dir", dir, "-retain", "2"}, args[1:]...)...)
		if r.code != 0 || r.out != "Saved and verified snapshot to index 12\n" {
			t.Errorf("beside a %s: %+v", args, r)
		}
	}
	if files() != 2 {
		t.Errorf("%d files are kept, not 2", files())
	}
	if r := (run{}).do(t, serving(t, "leader", whole[:50]), "snapshot", "agent", "-once", "-dir", dir); r.code != 1 || files() != 2 {
		t.Errorf("half a backup: %+v, %d files", r, files())
	}
	if r := (run{}).do(t, nil, "snapshot", "agent", "-once"); r.code != 1 || !strings.Contains(r.err, "no directory") {
		t.Errorf("no -dir: %+v", r)
	}
}

// TestSnapshotSaveToTheOutput: all of a backup or nothing, and nothing else.
func TestSnapshotSaveToTheOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	whole := archive(t)
	r := run{}.do(t, serving(t, "follower", whole), "snapshot", "save", "-", "-stale")
	if r.code != 0 || r.out != string(whole) || r.err != "Verified and wrote snapshot to index 12\n" {
		t.Errorf("exit %d, %d bytes, want %d; stderr %q", r.code, len(r.out), len(whole), r.err)
	}
	r = run{}.do(t, serving(t, "follower", whole[:len(whole)-4]), "snapshot", "save", "-")
	if r.code != 1 || r.out != "" || !strings.Contains(r.err, "cut short") {
		t.Errorf("half a backup: %+v", r)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left here: %v, %v", left, err)
	}
}

func TestInfoTellsOfBackups(t *testing.T) {
	for says, b := range map[string]httpd.BackupStatus{
		"/b: none yet, whoever leads keeps them":   {Dir: "/b"},
		"/b: none yet\n":                           {Dir: "/b", Leads: true},
		"/b: 3 tries failed: no space left":        {Dir: "/b", Leads: true, Failures: 3, Error: "no space left", At: ago(time.Hour)},
		"/b: 2, the last 60m ago, to index 4711\n": {Dir: "/b", At: ago(time.Hour), Kept: 2, Index: 4711},
	} {
		a := fleet(t).on("GET", "/v1/agent/self", httpd.Self{Backups: &b})
		if r := (run{}).do(t, a, "info"); r.code != 0 || !strings.Contains(r.out, "Backups  ") || !strings.Contains(r.out, says) {
			t.Errorf("%q is not told: %+v", says, r)
		}
	}
}
