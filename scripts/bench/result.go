package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// result is what one run found.
type result struct {
	At        time.Time `json:"at"`
	Commit    string    `json:"commit"`
	Machine   string    `json:"machine"`
	Settings  settings  `json:"settings"`
	Baselines []cost    `json:"baselines"`
	Muster    muster    `json:"muster"`
}

// muster is what the peers took.
type muster struct {
	PollsPerSecond   float64 `json:"polls_per_second"`
	Micros           float64 `json:"cpu_us_per_node_refresh"` // summed over all peers, everything they do
	EntriesPerSecond float64 `json:"entries_per_second"`
	LogPerSecond     float64 `json:"log_bytes_per_second"`
	LogPerRefresh    float64 `json:"log_bytes_per_cluster_refresh"`
	RSS              float64 `json:"rss_mib_largest_peer"`
	OverdueMax       float64 `json:"overdue_max_seconds"` // of what waits for a peer, looked at every second
	OldestView       float64 `json:"oldest_view_seconds"` // of all clusters, at the end
}

// entryHead is what the log store keeps of an entry beside its bytes: term, index, type, times and checksum.
const entryHead = 71

// reading is what counters said at one moment.
type reading struct {
	polls, cpu, rss, entries, bytes, unchanged float64
}

func (m *muster) fill(before, after reading, span time.Duration) {
	polls, seconds := after.polls-before.polls, span.Seconds()
	m.PollsPerSecond = polls / seconds
	m.Micros = (after.cpu - before.cpu) * 1e6 / polls
	m.EntriesPerSecond = (after.entries - before.entries) / seconds
	log := after.bytes - before.bytes + entryHead*(after.entries-before.entries)
	m.LogPerSecond = log / seconds
	m.LogPerRefresh = log / (after.unchanged - before.unchanged)
	m.RSS = after.rss / (1 << 20)
}

// print writes the result for a reader.
func (r *result) print(to io.Writer) {
	s := r.Settings
	fmt.Fprintf(to, "\n%d clusters x %d nodes every %s on %d peers\n%s, commit %s\n\n",
		s.Clusters, s.Nodes, s.Interval, s.Peers, r.Machine, r.Commit)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	m := r.Muster
	for _, b := range r.Baselines {
		fmt.Fprintf(w, "bare net/http GET, %s\t%.1f µs of CPU\tmuster takes %.2f x of it\n", b.Pace, b.Micros, m.Micros/b.Micros)
	}
	fmt.Fprintf(w, "muster, per node refresh\t%.1f µs of CPU\tsummed over the peers\n", m.Micros)
	fmt.Fprintf(w, "polls\t%.0f /s\t%.0f expected\n", m.PollsPerSecond, float64(s.Clusters*s.Nodes)/s.Interval.Seconds())
	fmt.Fprintf(w, "log\t%.1f entries/s\t%.0f bytes/s, %.1f per unchanged cluster refresh\n",
		m.EntriesPerSecond, m.LogPerSecond, m.LogPerRefresh)
	fmt.Fprintf(w, "memory\t%.0f MiB\tof the largest peer\n", m.RSS)
	fmt.Fprintf(w, "overdue\t%.2f s\tat most, of an interval of %s\n", m.OverdueMax, s.Interval)
	fmt.Fprintf(w, "oldest view\t%.1f s\tof all clusters, at the end\n", m.OldestView)
	_ = w.Flush()
}

// scrape reads a peer's metrics, summed over their labels.
func scrape(ctx context.Context, addr string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	out := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			out[name] += v
		}
	}
	return out, lines.Err()
}

// usage is the CPU seconds and the resident bytes of a process.
func usage(pid int) (cpu, rss float64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	number := func(i int) float64 {
		v, parseErr := strconv.ParseFloat(fields[i], 64)
		if parseErr != nil {
			err = parseErr
		}
		return v
	}
	const ticks = 100 // of CPU time per second, on every Linux
	return (number(11) + number(12)) / ticks, number(21) * float64(os.Getpagesize()), err
}

func machine() string {
	return fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
