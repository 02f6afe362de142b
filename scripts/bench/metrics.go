package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// metrics is one scrape: values by name and labels, as they are written.
type metrics map[string]float64

// scrape reads the metrics of what serves HTTP at addr, host:port.
func scrape(ctx context.Context, addr string) (metrics, error) {
	raw, err := get(ctx, "http://"+addr+"/metrics")
	if err != nil {
		return nil, err
	}
	return parseMetrics(raw)
}

// get reads a whole page.
func get(ctx context.Context, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", from, res.Status)
	}
	return io.ReadAll(res.Body)
}

// client is what this process asks peers with, beside their API. Packing answers would be on the peers' bill.
var client = &http.Client{Transport: &http.Transport{DisableCompression: true}}

// parseMetrics reads the text format, without times.
func parseMetrics(text []byte) (metrics, error) {
	out := metrics{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		out[line[:at]] += v
	}
	return out, nil
}

// sum adds up all series of a name that have these labels, each written as label="value".
func (m metrics) sum(name string, labels ...string) float64 {
	total := 0.0
	for key, v := range m {
		own, rest, _ := strings.Cut(key, "{")
		if own == name && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			total += v
		}
	}
	return total
}

// minus is what was added since before.
func (m metrics) minus(before metrics) metrics {
	out := metrics{}
	for key, v := range m {
		out[key] = v - before[key]
	}
	return out
}

// quantile is that of a histogram, between 0 and 1, summed over its labels and straight between bounds as in Prometheus: no
// more exact than the buckets. Above the last bound it is that bound, and NaN where nothing was observed.
func (m metrics) quantile(name string, q float64) float64 {
	counts := map[float64]float64{}
	for key, v := range m {
		own, rest, _ := strings.Cut(key, "{")
		if own != name+"_bucket" {
			continue
		}
		_, rest, _ = strings.Cut(rest, `le="`)
		text, _, _ := strings.Cut(rest, `"`)
		if bound, err := strconv.ParseFloat(text, 64); err == nil {
			counts[bound] += v
		}
	}
	total := counts[math.Inf(1)]
	if total == 0 {
		return math.NaN()
	}
	var bounds []float64
	for bound := range counts {
		bounds = append(bounds, bound)
	}
	slices.Sort(bounds)
	from, below := 0.0, 0.0
	for _, bound := range bounds {
		if n := counts[bound]; n >= q*total && !math.IsInf(bound, 1) {
			return from + (bound-from)*(q*total-below)/max(n-below, 1)
		}
		if !math.IsInf(bound, 1) {
			from, below = bound, counts[bound]
		}
	}
	return from
}
