package fleet_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/cmd/muster/fleet"
	"github.com/musterhq/muster/fsm"
)

func TestProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.json")
	p := play(t, fleet.Config{
		Clusters: 7, Nodes: 3, Processes: 3, Listen: fleet.ListenShared, ControlAddr: "127.0.0.1:0", File: path,
	})
	if got := len(children(t)); got != 3 {
		t.Fatalf("%d processes, want 3", got)
	}
	// Every node answers for itself: the kernel gave each connection to the process that plays its cluster.
	for c := range 7 {
		view, err := p.Cluster(t.Context(), fleetName(c))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range view.Nodes {
			if d, _ := p.document(n); d.NodeID != n.ID {
				t.Errorf("%s says it is %s", n.ID, d.NodeID)
			}
		}
	}
	var counts fleet.Counts
	if status := p.control("GET", "/v1/fleet", nil, &counts); status != 200 {
		t.Fatalf("status %d", status)
	}
	if counts.Clusters != 7 || counts.Nodes != 21 || counts.Processes != 3 || counts.Polls != 21 || counts.Connections != 21 {
		t.Errorf("counts %+v, want 7 clusters, 21 nodes, connections and polls, 3 processes", counts)
	}

	last := fleet.Action{Cluster: "fleet-00006", Node: "fleet-00006-2"}
	var view fleet.Cluster
	if status := p.control("POST", "/v1/fleet/remove", last, &view); status != 200 || view.Nodes[2].Listed {
		t.Errorf("removal: %d, %+v", status, view)
	}
	if got := p.ask(view.Nodes[2], "").reason; got != fsm.ReasonReset {
		t.Errorf("the removed node: %q, want a reset", got)
	}
	nodes, err := listed(path)
	if err != nil || len(nodes) != 20 || strings.Contains(strings.Join(nodes, " "), "fleet-00006-2") {
		t.Errorf("the file lists %v, %v", nodes, err)
	}
	if _, err := p.Act(t.Context(), fleet.Failover, last); !errors.Is(err, fsm.ErrConflict) {
		t.Errorf("a conflict in a child comes back as %v", err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestProcessesWithAListenerPerNodeNeedAPort(t *testing.T) {
	f, err := fleet.New(fleet.Config{Clusters: 2, Processes: 2, Listen: fleet.ListenEach, Port: fleet.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err == nil {
		t.Error("Run says nothing")
	}
}

func TestProcessThatDies(t *testing.T) {
	f, err := fleet.New(fleet.Config{Clusters: 4, Processes: 2, Listen: fleet.ListenShared, Port: fleet.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	select {
	case <-f.Ready():
	case err := <-ended:
		t.Fatalf("Run ended early: %v", err)
	}
	if err := syscall.Kill(children(t)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Run: %v, want that a process was killed", err)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// children are this process's own that are alive.
func children(t *testing.T) []int {
	t.Helper()
	var pids []int
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		raw, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		for field := range strings.FieldsSeq(string(raw)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}
