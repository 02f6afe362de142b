package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFiguresThatAreNoNumbersAreLeftOut(t *testing.T) {
	var r result
	r.add(figure{Name: "a", Value: math.NaN()}, figure{Name: "b", Value: math.Inf(1)}, figure{Name: "c", Value: 1234567.8},
		figure{Name: "d", Value: 0.1 + 0.2}, figure{Name: "e"}, figure{Name: "f", Value: -869.99999999})
	want := []figure{{Name: "c", Value: 1234570}, {Name: "d", Value: 0.3}, {Name: "e"}, {Name: "f", Value: -870}}
	if diff := cmp.Diff(want, r.Figures); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSpread(t *testing.T) {
	var r result
	r.spread(figure{Name: "wait", Case: "10k", Unit: "ms", Goal: "< 50", Note: "n"}, []float64{1, 2, 3})
	want := []figure{
		{Name: "wait, p50", Case: "10k", Unit: "ms", Value: 2, Note: "n"},
		{Name: "wait, p99", Case: "10k", Unit: "ms", Value: 3, Goal: "< 50", Note: "n"},
		{Name: "wait, max", Case: "10k", Unit: "ms", Value: 3, Note: "n"},
	}
	if diff := cmp.Diff(want, r.Figures); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var none result
	if none.spread(figure{Name: "wait"}, nil); len(none.Figures) != 0 {
		t.Errorf("nothing was measured, and it says %v", none.Figures)
	}
}

func TestSavedResultsSayWhereTheyAreFrom(t *testing.T) {
	r := newResult(t.Context(), "refresh", map[string]string{"peers": "3"})
	r.add(figure{Name: "a", Value: 1, Unit: "s"})
	folder := filepath.Join(t.TempDir(), "results")
	path, err := r.save(folder)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(folder, "refresh.json"); path != want {
		t.Errorf("saved as %s, want %s", path, want)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got result
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*r, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m := got.Machine
	if m.CPU == "" || m.CPUs == 0 || m.MemoryMiB == 0 || m.Kernel == "" || m.OpenFiles == 0 || got.Commit == "" {
		t.Errorf("something is missing: %+v, commit %q", m, got.Commit)
	}
}
