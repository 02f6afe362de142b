package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// TestFirstSteps does what a newcomer does: one peer in memory, a fleet to look at, a discovery in HCL, and the commands.
func TestFirstSteps(t *testing.T) {
	w := newWorld(t)
	started := time.Now()
	p := w.dev()
	ready := time.Since(started)
	t.Logf("muster agent -dev was ready after %s; promised are 2s", ready.Round(time.Millisecond))
	if ready > 10*time.Second {
		t.Errorf("muster agent -dev was ready after %s", ready)
	}
	f := w.fleet(3, 3)
	setting := filepath.Join(w.rig.Dir, "fleet.hcl")
	w.must(os.WriteFile(setting, fmt.Appendf(nil, `
discovery "fleet" {
  backend = "file"
  config {
    files = [%q]
  }
  interval = "10s"
  refresh {
    interval = "1s"
    timeout  = "500ms"
  }
}
`, f.file), 0o600))
	w.succeeds("validate", setting)
	w.succeeds("discovery", "apply", setting, at(p.HTTP))
	w.allHealthy(p, f.clusters)

	list := w.succeeds("cluster", "list", at(p.HTTP))
	for i := range f.clusters {
		if !strings.Contains(list, f.cluster(i)) || !strings.Contains(list, fsm.HealthHealthy) {
			t.Errorf("cluster list does not show %s as healthy:\n%s", f.cluster(i), list)
		}
	}
	show := w.succeeds("cluster", "show", f.cluster(1), at(p.HTTP))
	for i := range f.nodes {
		if !strings.Contains(show, f.node(1, i)) {
			t.Errorf("cluster show does not name %s:\n%s", f.node(1, i), show)
		}
	}
	var shown httpd.ClusterDetail
	w.must(json.Unmarshal([]byte(w.succeeds("cluster", "show", f.cluster(1), "-format=json", at(p.HTTP))), &shown))
	if shown.Name != f.cluster(1) || len(shown.Nodes) != f.nodes {
		t.Errorf("cluster show -format=json shows %s with %d nodes", shown.Name, len(shown.Nodes))
	}
	if got := w.muster("cluster", "list", "-filter", `name == "nope"`, at(p.HTTP)); got.code != 2 {
		t.Errorf("a filter that matches nothing: exit %d, want 2; %s", got.code, got.stderr)
	}

	follower, err := w.rig.Start("follow", program, "event", "follow", "-type", "node.*", "-cluster", f.cluster(2), "-since", "1h",
		"-format=json", at(p.HTTP))
	w.must(err)
	w.lineOf(follower, fsm.NodeDiscovered, f.node(2, 0))
	w.act(f, "stop", f.cluster(2), f.node(2, 1))
	w.lineOf(follower, fsm.NodeUnreachable, f.node(2, 1))
	w.succeeds("node", "maintenance", f.cluster(2)+"/"+f.node(2, 2), at(p.HTTP))
	w.lineOf(follower, fsm.NodeMaintenance, f.node(2, 2))
	w.must(follower.Signal(os.Interrupt))
	<-follower.Done()
	if err := follower.Err(); err != nil {
		t.Errorf("an interrupted event follow ended with %s", err)
	}
	if !strings.Contains(w.succeeds("members", at(p.HTTP)), p.Name) {
		t.Error("members does not show the peer")
	}
	stopping := time.Now()
	w.must(p.Stop())
	t.Logf("the peer stopped within %s", time.Since(stopping).Round(time.Millisecond))
	if got := w.muster("cluster", "list", at(p.HTTP)); got.code != 1 || !strings.Contains(got.stderr, p.HTTP) {
		t.Errorf("without a peer: exit %d, %s", got.code, got.stderr)
	}
}

// succeeds runs a command that must end well, and returns what it wrote.
func (w *world) succeeds(args ...string) string {
	w.Helper()
	got := w.muster(args...)
	if got.code != 0 || got.stderr != "" {
		w.Fatalf("muster %q: exit %d, stderr %q", args, got.code, got.stderr)
	}
	return got.stdout
}

// lineOf waits until a process that writes events as lines of JSON has written one.
func (w *world) lineOf(follower *rig.Process, kind fsm.EventType, node string) {
	w.Helper()
	w.until(fmt.Sprintf("event follow to write %s of %s", kind, node), func(context.Context) error {
		out, err := os.Open(follower.Log)
		if err != nil {
			return err
		}
		defer out.Close()
		lines := bufio.NewScanner(out)
		n := 0
		for ; lines.Scan(); n++ {
			var e httpd.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				return fmt.Errorf("line %q: %w", lines.Text(), err)
			}
			if e.Type == kind && e.Node == node {
				return nil
			}
		}
		return fmt.Errorf("it is none of %d lines", n)
	})
}
