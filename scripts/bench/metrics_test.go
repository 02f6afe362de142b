package main

import (
	"math"
	"testing"
)

const exposition = `# HELP polls_total Polls.
# TYPE polls_total counter
polls_total{prober="sidecar",result="ok"} 90
polls_total{prober="sidecar",result="timeout"} 6
polls_total{prober="http",result="ok"} 4
polls_total_more 1000
up 1
took_seconds_bucket{le="0.1"} 10
took_seconds_bucket{le="0.5"} 90
took_seconds_bucket{le="1"} 98
took_seconds_bucket{le="+Inf"} 100
took_seconds_sum 31.5
took_seconds_count 100
`

func parsed(t *testing.T, text string) metrics {
	t.Helper()
	m, err := parseMetrics([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSumsOfSeries(t *testing.T) {
	m := parsed(t, exposition)
	for _, test := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"polls_total", nil, 100},
		{"polls_total", []string{`result="ok"`}, 94},
		{"polls_total", []string{`result="ok"`, `prober="http"`}, 4},
		{"polls_total", []string{`result="no"`}, 0},
		{"up", nil, 1},
		{"down", nil, 0},
	} {
		if got := m.sum(test.name, test.labels...); got != test.want {
			t.Errorf("sum of %s %v is %v, want %v", test.name, test.labels, got, test.want)
		}
	}
}

func TestHistogramQuantiles(t *testing.T) {
	m := parsed(t, exposition)
	for q, want := range map[float64]float64{0.05: 0.05, 0.1: 0.1, 0.5: 0.3, 0.98: 1, 0.99: 1} {
		if got := m.quantile("took_seconds", q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := m.quantile("polls_total", 0.5); !math.IsNaN(got) {
		t.Errorf("what is no histogram has the quantile %v", got)
	}
	before := parsed(t, `took_seconds_bucket{le="0.1"} 10
took_seconds_bucket{le="0.5"} 10
took_seconds_bucket{le="1"} 10
took_seconds_bucket{le="+Inf"} 10
`)
	if got := m.minus(before).quantile("took_seconds", 0.5); math.Abs(got-0.325) > 1e-9 {
		t.Errorf("the median since before is %v, want 0.325", got)
	}
}

func TestBrokenMetricsAreAnError(t *testing.T) {
	if m, err := parseMetrics([]byte("up one\n")); err == nil {
		t.Errorf("read as %v", m)
	}
}
