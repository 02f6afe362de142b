package keyring_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/keyring"
)

// disk keeps a ring in memory, and fails while it is told to.
type disk struct {
	keys []string
	fail error
}

func (d *disk) load() ([]string, error) {
	if d.keys == nil {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(d.keys), nil
}

func (d *disk) store(keys []string) error {
	if d.fail == nil {
		d.keys = slices.Clone(keys)
	}
	return d.fail
}

func (d *disk) open(t *testing.T, first string) *keyring.Ring {
	t.Helper()
	r, err := keyring.Open(keyring.Disk{Load: d.load, Store: d.store}, first)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func id(t *testing.T, key string) string {
	t.Helper()
	raw, err := keyring.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	return keyring.ID(raw)
}

func TestRotation(t *testing.T) {
	var d disk
	first, second := keyring.Generate(), keyring.Generate()
	r := d.open(t, first)
	held := func(want ...string) {
		t.Helper()
		var ids []string
		for _, key := range want {
			ids = append(ids, id(t, key))
		}
		if diff := cmp.Diff(want, d.keys); diff != "" {
			t.Error("on disk", diff)
		}
		if diff := cmp.Diff(ids, r.IDs()); diff != "" {
			t.Error("in force", diff)
		}
		if diff := cmp.Diff(ids, d.open(t, keyring.Generate()).IDs()); diff != "" {
			t.Error("after a restart", diff)
		}
		if got := keyring.ID(r.Memberlist().GetPrimaryKey()); got != ids[0] {
			t.Errorf("gossip encrypts with %s", got)
		}
	}
	held(first)
	if err := r.Use(id(t, second)); !errors.Is(err, keyring.ErrUnknown) {
		t.Errorf("a key that was not installed was used: %v", err)
	}
	for range 2 {
		if err := r.Install(second); err != nil {
			t.Fatal(err)
		}
		held(first, second)
	}
	for range 2 {
		if err := r.Use(id(t, second)); err != nil {
			t.Fatal(err)
		}
		held(second, first)
	}
	if err := r.Remove(id(t, second)); !errors.Is(err, keyring.ErrInUse) {
		t.Errorf("the key in use was removed: %v", err)
	}
	for range 2 {
		if err := r.Remove(id(t, first)); err != nil {
			t.Fatal(err)
		}
		held(second)
	}
}

// What did not reach the disk is not in force.
func TestNothingWithoutTheDisk(t *testing.T) {
	first, second, third := keyring.Generate(), keyring.Generate(), keyring.Generate()
	d := disk{keys: []string{first, second}}
	r := d.open(t, "")
	before := r.IDs()
	d.fail = errors.New("disk full")
	for name, err := range map[string]error{
		"install": r.Install(third), "use": r.Use(id(t, second)), "remove": r.Remove(id(t, second)),
	} {
		if !errors.Is(err, d.fail) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(before, r.IDs()); diff != "" {
		t.Error(diff)
	}
}

func TestNoRing(t *testing.T) {
	var d disk
	if r := d.open(t, ""); r != nil || r.Memberlist() != nil {
		t.Error("a ring without a key")
	}
	for want, keys := range map[string][]string{"holds no key": {}, "key 2": {keyring.Generate(), "c2hvcnQ="}, "not base64": {"?"}} {
		d := disk{keys: keys}
		if _, err := keyring.Open(keyring.Disk{Load: d.load, Store: d.store}, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Keys may be listed at any time, also while one goes: the test is for the race detector.
func TestKeysAreListedWhileOneIsRemoved(t *testing.T) {
	var d disk
	r := d.open(t, keyring.Generate())
	first := r.IDs()
	var listing sync.WaitGroup
	again := make(chan struct{})
	listing.Go(func() {
		for range again {
			if ids := r.IDs(); !slices.Equal(ids[:1], first) {
				t.Errorf("the key in use is told as %s, not %s", ids[0], first)
			}
		}
	})
	for range 1000 {
		gone, stays := keyring.Generate(), keyring.Generate()
		added := errors.Join(r.Install(gone), r.Install(stays))
		again <- struct{}{}
		if err := errors.Join(added, r.Remove(id(t, gone)), r.Remove(id(t, stays))); err != nil {
			t.Fatal(err)
		}
	}
	close(again)
	listing.Wait()
}

func TestRingIsBounded(t *testing.T) {
	var d disk
	r := d.open(t, keyring.Generate())
	for range 7 {
		if err := r.Install(keyring.Generate()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Install(keyring.Generate()); !errors.Is(err, keyring.ErrFull) {
		t.Errorf("a ninth key: %v", err)
	}
}

func TestKeysAndTheirIDs(t *testing.T) {
	key := keyring.Generate()
	name, err := keyring.IDOf(" " + key + "\n")
	if err != nil || name != id(t, key) || len(name) != 16 {
		t.Errorf("id %q, %v", name, err)
	}
	if again, err := keyring.IDOf(strings.ToUpper(name)); err != nil || again != name {
		t.Errorf("id of the id %q, %v", again, err)
	}
	for _, bad := range []string{"", "beef", "c2hvcnQ=", base64.StdEncoding.EncodeToString(make([]byte, 16)), "%" + key} {
		if got, err := keyring.IDOf(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q is taken as %q, %v", bad, got, err)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	key := keyring.Generate()
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		want string
	}{
		"good":     {key + "\n", 0o600, ""},
		"readable": {key, 0o640, "chmod 600"},
		"no key":   {"hunter2", 0o600, "muster keygen"},
		"empty":    {"", 0o600, "muster keygen"},
		"long":     {strings.Repeat(key, 200), 0o600, "larger than the 4096 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "gossip.key")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		got, err := keyring.Read(path)
		switch {
		case c.want == "" && (err != nil || got != key):
			t.Errorf("%s: %q, %v", name, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || c.text != "" && strings.Contains(err.Error(), c.text)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(t.TempDir(), "none"): "no such file", pipe: "is a pipe", "/dev": "is a directory"} {
		if _, err := keyring.Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
