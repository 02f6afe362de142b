package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// print writes the result for a reader: a row for each name and a column for each case, in the order in which they came.
func (r *result) print(to io.Writer) {
	m := r.Machine
	fmt.Fprintf(to, "\n%s at commit %s, %s\n%s, %d CPUs, %d MiB, Linux %s, %s, %d open files\n", r.Scenario, r.Commit,
		r.At.Format("2006-01-02 15:04"), m.CPU, m.CPUs, m.MemoryMiB, m.Kernel, m.Go, m.OpenFiles)
	var names, cases []string
	for _, f := range r.Figures {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
		if !slices.Contains(cases, f.Case) {
			cases = append(cases, f.Case)
		}
	}
	var notes []string
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n\t%s\t\tgoal\t\n", strings.Join(cases, "\t"))
	for _, name := range names {
		row := newRow(len(cases))
		for _, f := range r.Figures {
			if f.Name != name {
				continue
			}
			row.take(slices.Index(cases, f.Case), f)
			if f.Note != "" && !slices.Contains(notes, name+": "+f.Note) {
				notes = append(notes, name+": "+f.Note)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, strings.Join(row.cells, "\t"), row.unit, row.goal, row.verdict())
	}
	_ = w.Flush() // into memory or onto a terminal
	for _, note := range notes {
		fmt.Fprintf(to, "\n%s", note)
	}
	fmt.Fprintln(to)
}

// row is one line of the table.
type row struct {
	cells      []string
	unit, goal string
	judged     bool
	missed     []string // cases
}

func newRow(cases int) *row { return &row{cells: make([]string, cases)} }

func (r *row) take(column int, f figure) {
	r.cells[column], r.unit = short(f.Value), f.Unit
	if f.Goal == "" {
		return
	}
	r.goal, r.judged = f.Goal, true
	if !holds(f.Value, f.Goal) {
		r.missed = append(r.missed, f.Case)
	}
}

func (r *row) verdict() string {
	switch {
	case !r.judged:
		return ""
	case len(r.missed) == 0:
		return "holds"
	}
	return strings.TrimSpace("MISSED " + strings.Join(r.missed, ", "))
}

// holds says whether a value meets a goal: one of <, <=, > and >=, a space and a number. No other goal ever holds.
func holds(value float64, goal string) bool {
	op, text, _ := strings.Cut(goal, " ")
	bound, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return false
	}
	switch op {
	case "<":
		return value < bound
	case "<=":
		return value <= bound
	case ">":
		return value > bound
	case ">=":
		return value >= bound
	}
	return false
}

// short writes a number with three digits or its whole part.
func short(v float64) string {
	digits := 0
	for size := math.Abs(v); size < 100 && digits < 2 && size != math.Trunc(size); size *= 10 {
		digits++
	}
	if math.Abs(v) < 0.1 && v != 0 {
		digits = 3
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
