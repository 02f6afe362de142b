package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// A run that was stopped and is gone on with counts what one does that was not.
func TestPiecesAddUp(t *testing.T) {
	o := options{seeds: 4, steps: 300, workers: 2, first: 5}
	whole := newTally(o)
	for seed, ok := whole.take(); ok; seed, ok = whole.take() {
		whole.add(o.simulate(seed, nil))
	}
	o.keep = filepath.Join(t.TempDir(), "kept")
	first := newTally(o)
	first.take()
	seed, _ := first.take()
	first.add(o.simulate(seed, nil)) // the one before it is still under way
	if err := first.save(o.keep); err != nil {
		t.Fatal(err)
	}
	if _, err := o.run(t.Context(), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	again := newTally(o)
	if err := again.resume(o.keep); err != nil {
		t.Fatal(err)
	}
	if _, more := again.take(); more {
		t.Error("a run that is done goes on")
	}
	if again.Done != whole.Done || again.Ran != whole.Ran || again.Virtual != whole.Virtual || !maps.Equal(again.Counts, whole.Counts) ||
		!maps.Equal(again.Void, whole.Void) {
		t.Errorf("in pieces it is %+v, in one %+v", again.kept, whole.kept)
	}
	o.steps++
	if _, err := o.run(t.Context(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "name another file") {
		t.Errorf("going on with other steps: %v", err)
	}
}

// A run in which no command of some kind was accepted is void, and says so.
func TestRunThatLacksAKindIsVoid(t *testing.T) {
	var out bytes.Buffer
	ok, err := options{seeds: 2, steps: 20, workers: 1, first: 1}.run(t.Context(), &out, io.Discard)
	if err != nil || ok || !strings.Contains(out.String(), "this run is void") || !strings.Contains(out.String(), "claim.abandon") {
		t.Errorf("a run of two worlds of 20 steps passes: %v, %v\n%s", ok, err, out.String())
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	out.Reset()
	if _, err := (options{seeds: 1, steps: 20, workers: 1, first: 1}).run(ctx, &out, io.Discard); err != nil ||
		!strings.Contains(out.String(), "0 seeds") {
		t.Errorf("a run that is stopped: %v\n%s", err, out.String())
	}
}
