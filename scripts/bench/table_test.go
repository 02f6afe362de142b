package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	r := result{
		Scenario: "scale", Commit: "abc", At: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		Machine: machine{CPU: "Z80", CPUs: 2, MemoryMiB: 64, Kernel: "6.1", Go: "go1", OpenFiles: 1024},
	}
	r.add(
		figure{Name: "memory", Case: "10k", Value: 299.4, Unit: "MiB", Goal: "< 300"},
		figure{Name: "time", Case: "10k", Value: 0.05, Unit: "s", Note: "from the start"},
		figure{Name: "memory", Case: "100k", Value: 1022, Unit: "MiB", Goal: "< 300"},
		figure{Name: "time", Case: "100k", Value: 2, Unit: "s", Goal: "<= 2", Note: "from the start"},
	)
	var b strings.Builder
	r.print(&b)
	want := `
scale at commit abc, 2026-01-02 03:04
Z80, 2 CPUs, 64 MiB, Linux 6.1, go1, 1024 open files

        10k    100k       goal
memory  299    1022  MiB  < 300  MISSED 100k
time    0.050  2     s    <= 2   holds

time: from the start
`
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	if diff := cmp.Diff(want, strings.Join(lines, "\n")+"\n"); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGoals(t *testing.T) {
	for _, test := range []struct {
		value float64
		goal  string
		want  bool
	}{
		{3, "< 3", false},
		{2.9, "< 3", true},
		{3, "<= 3", true},
		{3.1, "<= 3", false},
		{3, "> 3", false},
		{3.1, "> 3", true},
		{50000, ">= 50000", true},
		{49999, ">= 50000", false},
		{0, "= 0", false},
		{0, "soon", false},
	} {
		if got := holds(test.value, test.goal); got != test.want {
			t.Errorf("%v holds %q: %v, want %v", test.value, test.goal, got, test.want)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 1: "1", 12: "12", 1234.56: "1235", 123.456: "123", 12.345: "12.3",
		1.234: "1.23", 0.1234: "0.12", 0.0123: "0.012", -1.5: "-1.5",
	} {
		if got := short(value); got != want {
			t.Errorf("%v is written %s, want %s", value, got, want)
		}
	}
}
