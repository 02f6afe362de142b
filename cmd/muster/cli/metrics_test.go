package cli_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/cmd/muster/cli"
	"github.com/musterhq/muster/cmd/muster/sidecar"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// measured is a registry that knows the kinds of what was registered, also of what has no value yet.
type measured struct {
	*prometheus.Registry
	mu    sync.Mutex
	kinds map[string]string // by name, of collectors whose type says it
}

func newMeasured() *measured {
	return &measured{Registry: prometheus.NewRegistry(), kinds: map[string]string{}}
}

// Register is prometheus.Registerer's.
func (m *measured) Register(c prometheus.Collector) error {
	kind := ""
	switch c.(type) {
	case *prometheus.CounterVec:
		kind = "counter"
	case *prometheus.GaugeVec:
		kind = "gauge"
	case *prometheus.HistogramVec:
		kind = "histogram"
	}
	for d := range descriptions(c) {
		m.mu.Lock()
		m.kinds[field(d, `fqName: "(\w+)"`)] = kind
		m.mu.Unlock()
	}
	return m.Registry.Register(c)
}

// MustRegister is prometheus.Registerer's.
func (m *measured) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := m.Register(c); err != nil {
			panic(err)
		}
	}
}

// metric is what a metric is, whatever its values.
type metric struct {
	name, kind, help string
	labels           []string
}

// metrics are all that is registered under this project's name, by name.
func (m *measured) metrics(t *testing.T) []metric {
	t.Helper()
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range families {
		m.kinds[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	all := map[string]metric{}
	for d := range descriptions(m.Registry) {
		one := metric{name: field(d, `fqName: "(\w+)"`), help: field(d, `help: "(.*?)", \w+: `)}
		one.kind = m.kinds[one.name]
		if !strings.HasPrefix(one.name, "muster_") {
			continue
		}
		for _, l := range regexp.MustCompile(`(\w+)=`).FindAllStringSubmatch(field(d, `constLabels: \{(.*?)\}`), -1) {
			one.labels = append(one.labels, l[1])
		}
		if variable := field(d, `variableLabels: \{(.*?)\}`); variable != "" {
			one.labels = append(one.labels, strings.Split(variable, ",")...)
		}
		all[one.name] = one
	}
	out := make([]metric, 0, len(all))
	for _, one := range all {
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b metric) int { return cmp.Compare(a.name, b.name) })
	return out
}

// descriptions are what a collector says of itself, in the words of prometheus.Desc.
func descriptions(c prometheus.Collector) func(yield func(string) bool) {
	ch := make(chan *prometheus.Desc)
	go func() {
		defer close(ch)
		c.Describe(ch)
	}()
	return func(yield func(string) bool) {
		more := true
		for d := range ch {
			more = more && yield(d.String())
		}
	}
}

func field(desc, pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(desc); m != nil {
		return m[1]
	}
	return ""
}

// measuredPeer runs a peer with everything on that can be, until its metrics tell of a node.
func measuredPeer(t *testing.T) *measured {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, args := range [][]string{
		{"tls", "ca", "create", "-dir", dir}, {"tls", "cert", "create", "-peer", "-name", "a", "-dir", dir},
	} {
		if r := (run{}).do(t, nil, args...); r.code != 0 {
			t.Fatalf("%v: %s", args, r.err)
		}
	}
	key := run{}.do(t, nil, "keygen")
	if err := os.WriteFile(file("gossip.key"), []byte(key.out), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, file("fleet.json"), `[{"cluster": "orders", "nodes": [{"id": "orders-0", "address": "127.0.0.1", "port": 1}]}]`)
	write(t, file("agent.hcl"), fmt.Sprintf("discovery \"fleet\" {\n  backend = \"file\"\n  config = { files = [%q] }\n}\n", file("fleet.json")))

	reg := newMeasured()
	p := cli.New(cli.Streams{
		In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }, Now: time.Now,
	}, cli.Build{Version: "0.1.0", Commit: "abcdef0"})
	a, err := p.Peer(t.Context(), reg, "--data-dir", file("data"), "--bootstrap-expect", "1", "--name", "a", "--acl",
		"--http-addr", "127.0.0.1:0", "--peer-addr", "127.0.0.1:0", "--gossip-addr", "127.0.0.1:0",
		"--ca-file", file("muster-ca.pem"), "--cert-file", file("muster-peer-a.pem"), "--key-file", file("muster-peer-a-key.pem"),
		"--gossip-key-file", file("gossip.key"), "--backup-dir", file("backups"), "--consul-register", "--consul-addr", "127.0.0.1:1",
		"--trace-endpoint", "http://127.0.0.1:1", "--config-file", file("agent.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	while(t, a)
	reg.await(t, "muster_fleet_nodes")
	return reg
}

// while runs a peer as long as a test does.
func while(t *testing.T, a *agent.Agent) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the peer ended: %v", err)
		}
	})
}

// await waits until a metric is told.
func (m *measured) await(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		families, err := m.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == name {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no %s within a minute", name)
		case <-again.C:
		}
	}
}

// silent is a store that says nothing.
type silent struct{}

func (silent) Close() {}

// Probe is refresh.Prober's.
func (silent) Probe(_ context.Context, t refresh.Target) fsm.Report {
	return fsm.Unreachable(t.Node, fsm.ReasonRefused, "")
}

// measuredSidecar makes a sidecar.
func measuredSidecar(t *testing.T) *measured {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	reg := newMeasured()
	if _, err := sidecar.New(sidecar.Config{
		Listener: l, Prober: silent{}, Log: slog.New(slog.DiscardHandler), Registerer: reg, Gatherer: reg,
	}); err != nil {
		t.Fatal(err)
	}
	return reg
}

const metricsPage = "../../../docs/metrics.md"

// TestMetricsAreDocumented: each metric of a peer and of a sidecar is named and typed as Prometheus wants it, and stands with that
// in docs/metrics.md, in the table of its part; and nothing else does.
func TestMetricsAreDocumented(t *testing.T) {
	peer, beside := measuredPeer(t), measuredSidecar(t)
	for _, reg := range []*measured{peer, beside} {
		problems, err := testutil.GatherAndLint(reg)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "muster_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	}
	all := slices.Concat(peer.metrics(t), beside.metrics(t))
	for _, m := range all {
		wellNamed(t, m)
	}
	was := content(t, filepath.Dir(metricsPage), filepath.Base(metricsPage))
	is := tabled(t, was, all)
	if *update {
		write(t, metricsPage, is)
		return
	}
	if diff := gocmp.Diff(was, is); diff != "" {
		t.Errorf("%s is not what is measured; go test ./cmd/muster/cli -run Documented -update writes it (-is +would be):\n%s", metricsPage, diff)
	}
}

// labelWords are the labels of all metrics. One word is for one thing: a new one stands here because none of these says it.
var labelWords = []string{
	"certificate", "code", "discovery", "health", "kind", "lifecycle", "method", "name", "presence", "prober", "protocol", "reach", "reason",
	"result", "route", "state", "status", "suffrage", "transport", "type", "version",
}

// wellNamed holds what the linter cannot see of a metric without a value.
func wellNamed(t *testing.T, m metric) {
	t.Helper()
	unit := regexp.MustCompile(`_(seconds|bytes)$`)
	for _, l := range m.labels {
		if !slices.Contains(labelWords, l) {
			t.Errorf("%s has the label %s, which no other metric has: %v", m.name, l, labelWords)
		}
	}
	switch {
	case m.kind != "counter" && m.kind != "gauge" && m.kind != "histogram":
		t.Errorf("%s is a %q: what is it?", m.name, m.kind)
	case !regexp.MustCompile(`^muster(_[a-z]+){2,}$`).MatchString(m.name):
		t.Errorf("%s is not named muster_PART_THING", m.name)
	case (m.kind == "counter") != strings.HasSuffix(m.name, "_total"):
		t.Errorf("%s is a %s", m.name, m.kind)
	case m.kind == "histogram" && !unit.MatchString(m.name):
		t.Errorf("%s has no unit", m.name)
	case !strings.HasSuffix(m.help, ".") || strings.Contains(m.help, "|"):
		t.Errorf("%s: the help %q is not a sentence for a table", m.name, m.help)
	}
}

// tabled is a page with its tables written anew: each is of what begins as its first column is headed, as `muster_part_…`.
func tabled(t *testing.T, page string, all []metric) string {
	t.Helper()
	marker := regexp.MustCompile("(?m)^\\| `(muster_[a-z]+_)…` .*\n(?:\\|.*\n)*")
	var parts []string
	page = marker.ReplaceAllStringFunc(page, func(table string) string {
		part := marker.FindStringSubmatch(table)[1]
		parts = append(parts, part)
		rows := fmt.Sprintf("| `%s…` | type | labels | |\n| --- | --- | --- | --- |\n", part)
		for _, m := range all {
			if strings.HasPrefix(m.name, part) {
				rows += fmt.Sprintf("| %#q | %s | %s | %s |\n", m.name, m.kind, strings.Join(m.labels, ", "), m.help)
			}
		}
		return rows
	})
	for _, m := range all {
		if !slices.ContainsFunc(parts, func(part string) bool { return strings.HasPrefix(m.name, part) }) {
			t.Errorf("%s has no table for %s: put the line | `muster_PART_…` | where it belongs", metricsPage, m.name)
		}
	}
	return page
}
