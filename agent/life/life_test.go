package life_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/life"
)

var errBroken = errors.New("broken")

// TestEndComesOnce ends a life twice: the first cause counts.
func TestEndComesOnce(t *testing.T) {
	for _, first := range []error{nil, errBroken} {
		e := life.NewEnding()
		if e.Begun() {
			t.Error("it has come before it was called")
		}
		e.End(first)
		e.End(errors.New("later"))
		select {
		case <-e.Done():
		default:
			t.Error("it is not done")
		}
		if !e.Begun() || !errors.Is(e.Cause(), first) || (first == nil) != (e.Why() == "asked to") {
			t.Errorf("begun %v, cause %v, why %q", e.Begun(), e.Cause(), e.Why())
		}
	}
}

// TestPartsEndWithTheirOwner runs parts of which one fails: that is told with its name. The others go on until they are halted, and
// have ended then; what they end with is no failure.
func TestPartsEndWithTheirOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []error
		var ended atomic.Bool
		r := life.Start(t.Context(), func(err error) { told = append(told, err) }, life.Parts{
			"one": func(context.Context) error { return errBroken },
			"two": func(ctx context.Context) error {
				<-ctx.Done()
				<-time.After(time.Minute)
				ended.Store(true)
				return ctx.Err()
			},
			"three": func(context.Context) error { return nil },
		})
		synctest.Wait()
		if len(told) != 1 || !errors.Is(told[0], errBroken) || told[0].Error() != "one: broken" || ended.Load() {
			t.Errorf("told %v, ended %v", told, ended.Load())
		}
		r.Halt()
		if !ended.Load() || len(told) != 1 {
			t.Errorf("after it was halted: told %v, ended %v", told, ended.Load())
		}
	})
}

// TestPause waits to the end, and where its context ends first no longer.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !life.Pause(t.Context(), time.Second) || time.Since(began) != time.Second {
			t.Errorf("a second took %s", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if began = time.Now(); life.Pause(ctx, time.Minute) || time.Since(began) != time.Second {
			t.Errorf("a minute of a context with a second took %s", time.Since(began))
		}
	})
}

// TestUntil runs functions that end by themselves, with something that is over, and with their context: an error counts only where
// nothing was over.
func TestUntil(t *testing.T) {
	waits := func(ctx context.Context) error { <-ctx.Done(); return errBroken }
	fails := func(context.Context) error { return errBroken }
	closed := make(chan struct{})
	close(closed)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := life.Until(t.Context(), make(chan struct{}), fails); !errors.Is(err, errBroken) {
		t.Errorf("a function that fails: %v", err)
	}
	if err := life.Until(t.Context(), closed, waits); err != nil {
		t.Errorf("one that was over: %v", err)
	}
	if err := life.Until(ended, make(chan struct{}), waits); err != nil {
		t.Errorf("one whose context ended: %v", err)
	}
}

// TestBeats deals with one beat for long: those that came meanwhile are one, the next come in time, and none after ctx ended.
func TestBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := time.Now()
		var at []time.Duration
		for range life.Beats(ctx, time.Second) {
			switch at = append(at, time.Since(began)); len(at) {
			case 2:
				<-time.After(2500 * time.Millisecond)
			case 4:
				cancel()
			}
		}
		want := []time.Duration{time.Second, 2 * time.Second, 4500 * time.Millisecond, 5 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("beats at %v, want %v", at, want)
		}
	})
}
