package fleet_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metrics are the labels of all metrics by name: those of docs/metrics.md, which another test holds against a running peer, and
// those of Prometheus, Go and the process that are used.
type metrics map[string][]string

// knownMetrics reads them.
func knownMetrics(t *testing.T) metrics {
	t.Helper()
	known := metrics{
		"up": nil, "process_cpu_seconds_total": nil, "process_resident_memory_bytes": nil, "process_open_fds": nil,
		"process_max_fds": nil, "go_memstats_heap_inuse_bytes": nil,
	}
	row := regexp.MustCompile("(?m)^\\| `(muster_[a-z_]+)` \\| (\\w+) \\| ([a-z, ]*) \\|")
	for _, m := range row.FindAllStringSubmatch(read(t, "../../docs/metrics.md"), -1) {
		labels := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' })
		if m[2] != "histogram" {
			known[m[1]] = labels
			continue
		}
		known[m[1]+"_sum"], known[m[1]+"_count"] = labels, labels
		known[m[1]+"_bucket"] = append([]string{"le"}, labels...)
	}
	if len(known) < 100 {
		t.Fatalf("docs/metrics.md has %d metrics", len(known))
	}
	return known
}

var (
	metricName = regexp.MustCompile(`\b((?:muster|process|go)_\w+|up)\b(?:\{([^}]*)\})?`)
	matcher    = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	newLabel   = regexp.MustCompile(`label_replace\(.*, "(\w+)", "[^"]*", "\w+", "[^"]*"\)`)
)

// judge fails for a metric that there is none of, and for a label that no metric of the expression has. It returns the labels that
// its result may have.
func (known metrics) judge(t *testing.T, where, expr string) []string {
	t.Helper()
	all := []string{"job", "instance"} // what Prometheus puts on everything
	for _, m := range newLabel.FindAllStringSubmatch(expr, -1) {
		all = append(all, m[1])
	}
	names := metricName.FindAllStringSubmatch(expr, -1)
	for _, m := range names {
		labels, ok := known[m[1]]
		if !ok {
			t.Errorf("%s: there is no metric %s in %s", where, m[1], expr)
			continue
		}
		all = append(all, labels...)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(append([]string{"job", "instance"}, labels...), l[1]) {
				t.Errorf("%s: %s has no label %s; it has %v", where, m[1], l[1], labels)
			}
		}
	}
	if len(names) == 0 {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(m[1], ",") {
			if l = strings.TrimSpace(l); l != "" && !slices.Contains(all, l) {
				t.Errorf("%s: nothing has a label %s in %s", where, l, expr)
			}
		}
	}
	return all
}
