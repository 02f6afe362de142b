package main

import (
	"os"
	"testing"
)

func TestCPUOfAProcessWithAStrangeName(t *testing.T) {
	got, err := cpuOf("77 (a b) c) S 1 77 77 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 3 0 100 1000 200")
	if err != nil || got != 2 {
		t.Errorf("%v s, %v; want 150 and 50 ticks to be 2 s", got, err)
	}
	if got, err := cpuOf("77 (a) S 1"); err == nil {
		t.Errorf("a line without times says %v", got)
	}
}

func TestLookAtThisProcess(t *testing.T) {
	p, err := look(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if p.rss < 1<<20 || p.anon < 1<<18 || p.anon > p.rss {
		t.Errorf("this process has %+v", p)
	}
	if _, err := look(-1); err == nil {
		t.Error("a process that there is none of was looked at")
	}
}

func TestReadingsSinceBefore(t *testing.T) {
	before := reading{
		leader: metrics{"entries": 100},
		peers:  []metrics{{"polls": 10}, {"polls": 20}}, process: []process{{cpu: 1, rss: 9}, {cpu: 2, rss: 8}},
	}
	after := reading{
		leader: metrics{"entries": 140},
		peers:  []metrics{{"polls": 15}, {"polls": 27}}, process: []process{{cpu: 1.5, rss: 7, anon: 3}, {cpu: 4, rss: 6, anon: 4}},
	}
	d := after.minus(before)
	rss, anon := d.rss()
	if d.sum("polls") != 12 || d.cpu() != 2.5 || d.leader.sum("entries") != 40 || rss != 7 || anon != 4 {
		t.Errorf("polls %v, cpu %v, entries %v, rss %v, anon %v", d.sum("polls"), d.cpu(), d.leader.sum("entries"), rss, anon)
	}
}

func TestFiguresOfAMeasurement(t *testing.T) {
	m := measured{
		reading: reading{
			machine: ticks{all: 200, busy: 150},
			leader: metrics{
				"muster_agent_entries_total": 40, "muster_agent_entry_bytes_total": 7160,
				`muster_refresh_late_seconds_bucket{le="0.5"}`: 100, `muster_refresh_late_seconds_bucket{le="+Inf"}`: 100,
			},
			peers: []metrics{
				{
					`muster_refresh_polls_total{result="ok"}`: 5900, `muster_refresh_polls_total{result="timeout"}`: 100,
					"muster_poll_dials_total": 30, "muster_refresh_unchanged_total": 500,
				},
				{`muster_refresh_polls_total{result="ok"}`: 4000},
			},
			process: []process{{cpu: 0.5, rss: 100 << 20}, {cpu: 0.1, rss: 200 << 20}},
		},
		seconds: 10, overdue: []float64{0.1, 0.3, 0.2},
	}
	want := map[string]float64{
		"CPU of a node refresh": 60, "machine busy": 75, "polls": 1000, "polls that dialed": 0.3, "polls that failed": 1,
		"overdue, p99": 0.3, "overdue, max": 0.3, "granted late, p99": 0.495,
		"RSS of the largest peer": 200, "of it anonymous": 0, "log entries": 4, "log bytes": 1000,
		"log bytes of an unchanged cluster refresh": 20,
	}
	for _, f := range m.figures("10k") {
		if w, ok := want[f.Name]; !ok || f.Case != "10k" || f.Value != w {
			t.Errorf("%s is %v, want %v", f.Name, f.Value, w)
		}
		delete(want, f.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestTicksOfTheMachine(t *testing.T) {
	got, err := ticksOf("cpu  10 1 20 500 7 2 3 4 9 0\ncpu0 1 2\n")
	if want := (ticks{all: 547, busy: 40}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, wrong := range []string{"", "cpu 1 2 3\n", "cpu 1 2 3 4 5 6 7 x 9 10\n"} {
		if got, err := ticksOf(wrong); err == nil {
			t.Errorf("%q means %+v", wrong, got)
		}
	}
	if now, err := clock(); err != nil || now.busy <= 0 || now.all < now.busy {
		t.Errorf("this machine says %+v, %v", now, err)
	}
}
