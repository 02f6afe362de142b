package fleet_test

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/fleet"
	"github.com/musterhq/muster/fsm"
)

// rules is where the alert rules and their unit tests are.
const rules = "../../docs/prometheus"

// TestAlertsRun has the real promtool judge the rules and run their unit tests. With -short no program is needed.
func TestAlertsRun(t *testing.T) {
	if testing.Short() {
		return
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v: run scripts/servers.sh", err)
	}
	for _, args := range [][]string{{"check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		c := exec.CommandContext(t.Context(), promtool, args...)
		c.Dir = rules
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestAlertsAreOfWhatIsTold holds that each alert has a unit test, and that the fleet's metrics in the rules are told.
func TestAlertsAreOfWhatIsTold(t *testing.T) {
	read := func(name string) string {
		raw, err := os.ReadFile(rules + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	all, tests := read("alerts.yaml"), read("alerts_test.yaml")
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(all, -1) {
		if !regexp.MustCompile(`alertname="` + m[1] + `",`).MatchString(tests) {
			t.Errorf("%s has no unit test", m[1])
		}
	}
	told := names(fleet.New(&replica{t: t, state: fsm.NewState()}))
	for _, name := range regexp.MustCompile(`muster_fleet_\w+`).FindAllString(all, -1) {
		if !told[name] {
			t.Errorf("there is no metric %s; there are %v", name, slices.Sorted(maps.Keys(told)))
		}
	}
}

// names are those of the metrics that a collector describes.
func names(c prometheus.Collector) map[string]bool {
	ch, out := make(chan *prometheus.Desc), map[string]bool{}
	go func() {
		defer close(ch)
		c.Describe(ch)
	}()
	for d := range ch {
		out[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	return out
}
