package file_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/discovery"
)

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

const gone = "gone"

// watch puts a Watch on patterns; the function it gives waits for a nudge that names a file when that holds a text, or is
// gone: for the nudge, then, after which a read sees the change. A change may be named twice, by its notice and by the
// comparison after it. So that a late one is not taken for the next change, a file of the watch's own follows each: what is
// named up to that is over.
func watch(t *testing.T, patterns ...string) (until func(path, text string)) {
	t.Helper()
	own := t.TempDir()
	before := goleak.IgnoreCurrent()
	b := open(t, append(patterns, filepath.Join(own, "*.json"))...).(discovery.Watcher)
	ctx, cancel := context.WithCancel(t.Context())
	nudges, ended := make(chan []string, 64), make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.Watch(ctx, func(names []string) {
			select {
			case nudges <- names:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		goleak.VerifyNone(t, before)
	})
	await := func(path, text string) {
		t.Helper()
		timeout := time.NewTimer(20 * time.Second)
		defer timeout.Stop()
		for {
			select {
			case names := <-nudges:
				if slices.Contains(names, path) && holds(path, text) {
					return
				}
			case <-timeout.C:
				t.Fatalf("no nudge named %s when it was %q", path, text)
			}
		}
	}
	changes := 0
	return func(path, text string) {
		t.Helper()
		await(path, text)
		changes++
		mark := filepath.Join(own, strconv.Itoa(changes)+".json")
		write(t, mark, "mark")
		await(mark, "mark")
	}
}

func holds(path, text string) bool {
	raw, err := os.ReadFile(path)
	if text == gone {
		return err != nil
	}
	return err == nil && string(raw) == text
}

func TestWatchSeesEveryKindOfChange(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	write(t, a, "1")
	until := watch(t, filepath.Join(dir, "*.json"))
	until(a, "1")
	write(t, a, "two")
	until(a, "two")
	replace(t, a, "3")
	until(a, "3")
	write(t, b, "4")
	until(b, "4")
	remove(t, b)
	until(b, gone)
	rename(t, a, b)
	until(b, "3")
}

// Two writes of one size may fall into one tick of the file system's clock: the notices tell them apart.
func TestWatchSeesWriteOfSameSize(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a.json")
	write(t, a, "[ ]")
	info, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	until := watch(t, a)
	until(a, "[ ]")
	f, err := os.OpenFile(a, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("[\n]"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(a, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	until(a, "[\n]")
}

func TestWatchSeesDirectoryReturn(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "deep", "sub")
	a := filepath.Join(sub, "a.json")
	until := watch(t, filepath.Join(dir, "deep", "*", "a.json"))
	for _, text := range []string{"1", "2", "3"} {
		mkdir(t, sub)
		write(t, a, text)
		until(a, text)
		remove(t, filepath.Join(dir, "deep"))
		until(a, gone)
	}
	mkdir(t, sub)
	write(t, a, "4")
	until(a, "4")
	rename(t, sub, sub+"-old")
	until(a, gone)
	mkdir(t, sub)
	for _, text := range []string{"5", "6", "7"} {
		replace(t, a, text)
		until(a, text)
	}
}

// A Kubernetes volume: the files are links through a link that is swapped.
func TestWatchSeesSwappedLink(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a.json")
	for _, version := range []string{"..v1", "..v2", "..v3"} {
		mkdir(t, filepath.Join(dir, version))
		write(t, filepath.Join(dir, version, "a.json"), version)
	}
	link(t, "..v1", filepath.Join(dir, "..data"))
	link(t, "..data/a.json", a)
	until := watch(t, filepath.Join(dir, "*.json"))
	until(a, "..v1")
	for _, version := range []string{"..v2", "..v3"} {
		link(t, version, filepath.Join(dir, "..tmp"))
		rename(t, filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data"))
		until(a, version)
	}
}

// A release directory: the pattern goes through a link that is swapped, and the files are elsewhere.
func TestWatchSeesSwappedDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"v1", "v2"} {
		mkdir(t, filepath.Join(dir, "releases", version))
		write(t, filepath.Join(dir, "releases", version, "a.json"), version)
	}
	current := filepath.Join(dir, "current")
	a := filepath.Join(current, "a.json")
	link(t, "releases/v1", current)
	until := watch(t, filepath.Join(current, "*.json"))
	until(a, "v1")
	link(t, "releases/v2", current+".new")
	rename(t, current+".new", current)
	until(a, "v2")
	replace(t, filepath.Join(dir, "releases", "v2", "a.json"), "v3")
	until(a, "v3")
}

// A file that is a link is changed where the link leads.
func TestWatchSeesLinkedFile(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	a, target := filepath.Join(dir, "a.json"), filepath.Join(other, "real.json")
	write(t, target, "1")
	link(t, target, a)
	until := watch(t, filepath.Join(dir, "*.json"))
	until(a, "1")
	replace(t, target, "2")
	until(a, "2")
	write(t, target, "3")
	until(a, "3")
}
