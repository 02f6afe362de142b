package fleet_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// home is where the alert rules, their unit tests and the dashboard are.
const home = "../../docs/prometheus"

// promtool runs the real one in a folder. With -short no program is needed, and none run.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	if testing.Short() {
		return
	}
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v: run scripts/servers.sh", err)
	}
	c := exec.CommandContext(t.Context(), program, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestAlertsRun has the real promtool judge the rules and run their unit tests.
func TestAlertsRun(t *testing.T) {
	promtool(t, home, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml")
	promtool(t, home, "test", "rules", "alerts_test.yaml")
}

// TestAlertsAreOfWhatIsTold holds that each alert has a unit test, and that what the rules ask for is there.
func TestAlertsAreOfWhatIsTold(t *testing.T) {
	all, tests := read(t, home+"/alerts.yaml"), read(t, home+"/alerts_test.yaml")
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(all, -1) {
		if !regexp.MustCompile(`alertname="` + m[1] + `",`).MatchString(tests) {
			t.Errorf("%s has no unit test", m[1])
		}
	}
	known := knownMetrics(t)
	rules := regexp.MustCompile(`(?s)- alert: (\w+)\s+expr: (.*?)\n\s+(?:for|labels):`).FindAllStringSubmatch(all, -1)
	for _, m := range rules {
		known.judge(t, m[1], m[2])
	}
	if len(rules) < 10 {
		t.Errorf("only %d rules were seen", len(rules))
	}
}

// TestScrapesAreGood has promtool judge the configurations that docs/metrics.md shows.
func TestScrapesAreGood(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, "../../docs/metrics.md"), -1)
	if len(blocks) < 2 {
		t.Errorf("only %d were seen", len(blocks))
	}
	for _, m := range blocks {
		path := filepath.Join(t.TempDir(), "prometheus.yml")
		write(t, path, []byte(m[1]))
		promtool(t, home, "check", "config", "--syntax-only", path)
	}
}
