package backendtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/discovery"
)

// watches holds a backend that is a Watcher to that part of the contract.
func watches(t *testing.T, s Subject) {
	w, ok := s.Backend.(discovery.Watcher)
	if !ok {
		return
	}
	s.Put(t, roll())
	heard := listen(t, w)
	heard.until(t, s.Name("orders"), s.Name("plain"), s.Name("users"))

	changed := roll()
	changed[0].Port = 9000
	s.Put(t, changed)
	heard.until(t, s.Name("orders"))
	want(t, s.Backend, changed[:2], s.Name("orders"))

	s.Put(t, append(changed, node("fresh", "fresh-1", 8660)))
	heard.until(t, s.Name("fresh"))
	s.Put(t, changed)
	heard.until(t, s.Name("fresh"))
	heard.stop(t)
}

// ear is a Watch under way and what it said.
type ear struct {
	names  chan []string
	ended  chan error
	cancel context.CancelFunc
}

func listen(t *testing.T, w discovery.Watcher) *ear {
	ctx, cancel := context.WithCancel(t.Context())
	e := &ear{names: make(chan []string, 64), ended: make(chan error, 1), cancel: cancel}
	go func() {
		e.ended <- w.Watch(ctx, func(names []string) {
			select {
			case e.names <- names:
			case <-ctx.Done():
			}
		})
	}()
	return e
}

// until waits for nudges that name all of these.
func (e *ear) until(t *testing.T, names ...string) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for len(names) > 0 {
		select {
		case got := <-e.names:
			if !slices.IsSorted(got) || len(got) == 0 {
				t.Errorf("nudge with %q: sorted names are wanted", got)
			}
			names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(got, n) })
		case err := <-e.ended:
			t.Fatalf("the watch ended: %v", err)
		case <-timeout.C:
			t.Fatalf("no nudge named %q", names)
		}
	}
}

func (e *ear) stop(t *testing.T) {
	t.Helper()
	e.cancel()
	select {
	case err := <-e.ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("watch: %v; wanted: %v", err, context.Canceled)
		}
	case <-time.After(patience):
		t.Error("the watch did not end with its context")
	}
}
