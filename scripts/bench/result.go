package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"time"
)

// figure is one line of a result.
type figure struct {
	Name  string  `json:"name"`           // "CPU of a node refresh"
	Case  string  `json:"case,omitempty"` // column of the table: "10k", "saturated"
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`           // us, MiB, B, /s, s, ms, x, %
	Goal  string  `json:"goal,omitempty"` // "<= 300"; one that is missed is shown and fails nothing
	Note  string  `json:"note,omitempty"`
}

// result is what one run of a scenario found.
type result struct {
	Scenario string            `json:"scenario"`
	At       time.Time         `json:"at"`
	Commit   string            `json:"commit"` // with "-dirty" when the tree had changes beside it
	Machine  machine           `json:"machine"`
	Settings map[string]string `json:"settings"` // flags
	Figures  []figure          `json:"figures"`
}

func newResult(ctx context.Context, scenario string, settings map[string]string) *result {
	return &result{
		Scenario: scenario, At: time.Now().UTC().Truncate(time.Second), Commit: commit(ctx), Machine: thisMachine(),
		Settings: settings,
	}
}

// add appends figures, with six digits of their values, but for those that are no number: what there was nothing to measure
// of has no figure.
func (r *result) add(figures ...figure) {
	for _, f := range figures {
		if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
			continue
		}
		if f.Value != 0 {
			unit := math.Pow(10, 5-math.Floor(math.Log10(math.Abs(f.Value))))
			f.Value = math.Round(f.Value*unit) / unit
		}
		r.Figures = append(r.Figures, f)
	}
}

// spread appends p50, p99 and the greatest of values, as three figures named after f; f's goal is that of p99. Without
// values there are none.
func (r *result) spread(f figure, values []float64) {
	if len(values) == 0 {
		return
	}
	q := quantilesOf(values)
	name, goal := f.Name, f.Goal
	f.Name, f.Value, f.Goal = name+", p50", q.P50, ""
	r.add(f)
	f.Name, f.Value, f.Goal = name+", p99", q.P99, goal
	r.add(f)
	f.Name, f.Value, f.Goal = name+", max", q.Max, ""
	r.add(f)
}

// save writes the result to SCENARIO.json in a folder and returns its path.
func (r *result) save(folder string) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, r.Scenario+".json")
	return path, os.WriteFile(path, append(raw, '\n'), 0o644)
}
