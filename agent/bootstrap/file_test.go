package bootstrap_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/bootstrap"
)

// open makes a founder on dir that is not run.
func open(t *testing.T, id, dir string) (*bootstrap.Founder, error) {
	t.Helper()
	h := newHall(t)
	h.show(bootstrap.Peer{ID: "x", Expect: 3, Alive: true})
	return bootstrap.New(bootstrap.Config{
		ID: id, Expect: 3, Dir: dir, Roster: h, Caller: h, Found: noGroup,
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
}

func TestFileKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	f, err := open(t, "b", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []bootstrap.Offer{{From: "c", To: "b", Serial: 3, Expect: 3}, {From: "d", To: "b", Serial: 5, Expect: 7}} {
		if _, err := f.Receive(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	want := bootstrap.Promises{ID: "b", Held: held{"c": 3}, Returned: held{"d": 5}}
	again, err := open(t, "b", dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Promises(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 1 || names[0].Name() != bootstrap.FileName {
		t.Errorf("left behind: %v", names)
	}
	if info, err := names[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestUnfitFilesAreNotEmpty(t *testing.T) {
	for name, text := range map[string]string{
		"torn":            `{"version":1,"promises":{"id":"b","ser`,
		"empty":           ``,
		"another peer's":  `{"version":1,"promises":{"id":"c","serial":0}}`,
		"a later version": `{"version":2,"promises":{"id":"b","serial":0}}`,
		"unknown fields":  `{"version":1,"promises":{"id":"b","serial":0,"more":1}}`,
		"trailing":        `{"version":1,"promises":{"id":"b","serial":0}} {}`,
		"impossible":      `{"version":1,"promises":{"id":"b","serial":1,"held":{"c":2},"returned":{"c":2}}}`,
		"own not held":    `{"version":1,"promises":{"id":"b","to":"b","serial":1}}`,
		"foreign set":     `{"version":1,"promises":{"id":"b","serial":1,"founding":["a"]}}`,
		"set not held":    `{"version":1,"promises":{"id":"b","to":"b","serial":1,"held":{"b":1},"founding":["b","c"]}}`,
		"no serial":       `{"version":1,"promises":{"id":"b","to":"c","serial":0}}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, bootstrap.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, "b", dir); err == nil || !strings.Contains(err.Error(), bootstrap.FileName) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Once a write has failed nobody learns anything more from this process.
func TestFailedWriteEndsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := open(t, "b", dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"-gone"); err != nil {
		t.Fatal(err)
	}
	o := bootstrap.Offer{From: "c", To: "b", Serial: 3, Expect: 3}
	if _, err := f.Receive(t.Context(), o); err == nil {
		t.Fatal("held without a disk")
	}
	if err := os.Rename(dir+"-gone", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Receive(t.Context(), o); err == nil {
		t.Error("went on after a failed write")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := f.Run(ctx); err == nil {
		t.Error("ran on after a failed write")
	}
}

func TestRelease(t *testing.T) {
	dir := t.TempDir()
	text := `{"version":1,"promises":{"id":"b","to":"a","serial":4,"held":{"c":2},"returned":{"d":3}}}`
	if err := os.WriteFile(filepath.Join(dir, bootstrap.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := bootstrap.Release(dir, "b", "c"); err == nil {
		t.Error("released from somebody else")
	}
	if err := bootstrap.Release(dir, "b", "a"); err != nil {
		t.Fatal(err)
	}
	f, err := open(t, "b", dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Promises(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := bootstrap.Promises{ID: "b", Serial: 4, Held: held{"c": 2}, Returned: held{"d": 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
