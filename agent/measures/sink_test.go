package measures_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	gometrics "github.com/armon/go-metrics"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/measures"
)

// told is what is gathered and not zero, one line for each sample.
func told(t *testing.T, g prometheus.Gatherer) (out []string) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := f.GetName()
			for _, l := range m.GetLabel() {
				line += " " + l.GetName() + "=" + l.GetValue()
			}
			if h := m.GetHistogram(); h.GetSampleCount() > 0 {
				out = append(out, fmt.Sprintf("%s = %d of %.3f s", line, h.GetSampleCount(), h.GetSampleSum()))
			}
			if v := m.GetCounter().GetValue() + m.GetGauge().GetValue(); v != 0 {
				out = append(out, fmt.Sprintf("%s = %.3f", line, v))
			}
		}
	}
	return out
}

// TestTakes measures as the libraries do: milliseconds, keys in parts, with the id of a peer or without.
func TestTakes(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s, err := measures.New(reg)
	if err != nil {
		t.Fatal(err)
	}
	if got := told(t, reg); len(got) > 0 {
		t.Errorf("told before anything was measured: %v", got)
	}
	peer := []gometrics.Label{{Name: "peer_id", Value: "p"}}
	s.AddSample([]string{"raft", "commitTime"}, 12)
	s.AddSample([]string{"raft", "commitTime"}, 8)
	s.AddSampleWithLabels([]string{"raft", "replication", "heartbeat"}, 5, peer)
	s.IncrCounter([]string{"raft", "state", "leader"}, 1)
	s.IncrCounterWithLabels([]string{"memberlist", "udp", "sent"}, 40, nil)
	s.IncrCounterWithLabels([]string{"memberlist", "udp", "sent"}, 2, nil)
	s.SetGauge([]string{"raft", "fsm", "lastRestoreDuration"}, 1500)
	s.SetGaugeWithLabels([]string{"memberlist", "health", "score"}, 3, nil)
	s.AddSample([]string{"raft", "something", "new"}, 1)
	s.EmitKey([]string{"raft", "commitTime"}, 1)
	want := []string{
		"muster_gossip_health_score = 3.000",
		"muster_gossip_sent_bytes_total transport=udp = 42.000",
		"muster_raft_commit_duration_seconds = 2 of 0.020 s",
		"muster_raft_heartbeat_duration_seconds = 1 of 0.005 s",
		"muster_raft_last_restore_seconds = 1.500",
		"muster_raft_transitions_total state=leader = 1.000",
	}
	if diff := cmp.Diff(want, told(t, reg)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestKeysAreMeasured holds that the libraries, as they are required now, measure under each key of the table: in their sources
// stands the key, part by part, in a call of go-metrics.
func TestKeysAreMeasured(t *testing.T) {
	keys := measures.Keys()
	for _, library := range []string{"raft", "memberlist"} {
		measured := measuredBy(t, library)
		for _, key := range keys {
			if strings.HasPrefix(key, library+".") && !slices.Contains(measured, key) {
				t.Errorf("%s measures no %s; it measures %v", library, key, measured)
			}
		}
	}
}

// measuredBy are the keys under which a library of HashiCorp's measures.
func measuredBy(t *testing.T, library string) (keys []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/hashicorp/"+library).Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(out))
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`metrics\.\w+\(\[\]string\{((?:"\w+"(?:, )?)+)\}`)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		raw, err := os.ReadFile(dir + "/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(raw), -1) {
			keys = append(keys, strings.ReplaceAll(strings.ReplaceAll(m[1], `"`, ""), ", ", "."))
		}
	}
	return keys
}
