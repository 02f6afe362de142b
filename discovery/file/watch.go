package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/musterhq/muster/discovery"
)

// Watch names the files that moved.
func (b *backend) Watch(ctx context.Context, nudge func(names []string)) error {
	nudges := discovery.NewNudges()
	ctx, cancel := context.WithCancel(ctx)
	var notice sync.WaitGroup
	notice.Go(func() { b.notice(ctx, nudges) })
	err := nudges.Run(ctx, nudge)
	cancel()
	notice.Wait()
	return err
}

// notice keeps a watch going until ctx ends. A watch that broke may have missed something, so each new one compares
// with what the last one knew.
func (b *backend) notice(ctx context.Context, nudges *discovery.Nudges) {
	w := &watch{patterns: b.patterns, nudges: nudges}
	var pace discovery.Backoff
	for ctx.Err() == nil {
		err := w.run(ctx, pace.Reset)
		if ctx.Err() != nil {
			return
		}
		b.env.Logger().Warn("watching discovery files is interrupted, changes are seen at the interval", "error", err)
		if pace.Wait(ctx) != nil {
			return
		}
	}
}

// watch compares what the patterns match with what they matched before, whenever a directory changes.
type watch struct {
	patterns []string
	nudges   *discovery.Nudges
	files    map[string]fs.FileInfo // as last seen
	names    map[string][]string    // of files, by the names that notices give them
}

func (w *watch) run(ctx context.Context, working func()) error {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer func() { _ = notify.Close() }() // nothing is read from it any more
	if err := w.look(notify); err != nil {
		return err
	}
	working()
	calm := time.NewTimer(calmAfter)
	defer calm.Stop()
	resting, dirty := true, false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, open := <-notify.Events:
			if !open {
				return errors.New("notices ended")
			}
			// A second write within one tick of the file system's clock changes neither size nor time.
			if event.Op != fsnotify.Chmod {
				w.nudges.Add(w.names[event.Name]...)
			}
			dirty = true
		case err := <-notify.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
			dirty = true
		case <-calm.C:
			resting = false
		}
		if resting || !dirty {
			continue
		}
		if err := w.look(notify); err != nil {
			return err
		}
		resting, dirty = true, false
		calm.Reset(calmAfter)
	}
}

// calmAfter is the least time between two looks, so that a busy directory costs little.
const calmAfter = 20 * time.Millisecond

// look watches what is to be watched, then names what differs. Directories come first, so that what changes after the
// comparison is noticed; a directory that appeared meanwhile leads to another look.
func (w *watch) look(notify *fsnotify.Watcher) error {
	for range maxDepth {
		added, err := w.attend(notify)
		if err != nil {
			return err
		}
		w.compare()
		if !added {
			return nil
		}
	}
	return nil
}

const maxDirs = 1024

// attend makes the watched directories those that matter now, and says whether any is new.
func (w *watch) attend(notify *fsnotify.Watcher) (added bool, err error) {
	want := map[string]bool{}
	for _, p := range w.patterns {
		interesting(p, want)
	}
	if len(want) > maxDirs {
		return false, errors.New("the patterns reach into too many directories to watch")
	}
	// The watcher knows best what it watches: it lets go of a directory that is deleted or moved, and says so, and the
	// next of that name is then a new one.
	watched := notify.WatchList()
	for _, dir := range watched {
		if want[dir] {
			continue
		}
		if err := notify.Remove(dir); err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) {
			return false, err
		}
	}
	for dir := range want {
		if slices.Contains(watched, dir) {
			continue
		}
		if err := notify.Add(dir); absent(err) {
			continue
		} else if err != nil {
			return false, err
		}
		added = true
	}
	return added, nil
}

// interesting puts in every directory in which a name along the pattern could come, go or be replaced: where its
// wildcards are listed, where its last part is, the nearest that exists where one is missing, and around links.
func interesting(pattern string, into map[string]bool) {
	parts := strings.Split(strings.TrimPrefix(pattern, "/"), "/")
	found := []string{"/"}
	for _, part := range parts {
		var next []string
		for _, dir := range found {
			names, err := step(dir, part)
			if err != nil {
				continue // the read says so
			}
			if len(names) == 0 || strings.ContainsAny(part, wildcards) || slices.ContainsFunc(names, link) {
				put(dir, into)
			}
			next = append(next, names...)
		}
		if found = next; len(found) > maxFiles {
			return
		}
	}
	for _, path := range found {
		put(filepath.Dir(path), into)
		if target, err := filepath.EvalSymlinks(path); err == nil {
			put(filepath.Dir(target), into) // the file may be changed where a link leads
		}
	}
}

func link(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// put takes a directory by its name without links: one directory is watched under one name.
func put(dir string, into map[string]bool) {
	target, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return
	}
	if info, err := os.Lstat(target); err == nil && info.IsDir() {
		into[target] = true
	}
}

// compare names the files that are new, gone or changed. A pattern that cannot be expanded keeps what was known; the
// reads say what is wrong with it.
func (w *watch) compare() {
	now := map[string]fs.FileInfo{}
	for _, p := range w.patterns {
		paths, err := matches(p)
		if err != nil {
			return
		}
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil {
				now[path] = info
			}
		}
	}
	for path, is := range now {
		if was, ok := w.files[path]; !ok || !same(was, is) {
			w.nudges.Add(path)
		}
	}
	for path := range w.files {
		if _, ok := now[path]; !ok {
			w.nudges.Add(path)
		}
	}
	w.files = now
	w.names = map[string][]string{}
	for path := range now {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			w.naming(filepath.Join(dir, filepath.Base(path)), path)
		}
		if target, err := filepath.EvalSymlinks(path); err == nil {
			w.naming(target, path)
		}
	}
}

func (w *watch) naming(notice, path string) {
	if !slices.Contains(w.names[notice], path) {
		w.names[notice] = append(w.names[notice], path)
	}
}
