package fleet_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cmd/muster/fleet"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// story is what a churn does in so many steps, a line each, and how many nodes were unwell after each step.
func story(t *testing.T, seed uint64, steps int) (lines []string, unwell []int) {
	t.Helper()
	now := map[string]bool{}
	c := fleet.NewChurn(t, fleet.Config{Clusters: 200, Nodes: 5, Churn: 1, Seed: seed},
		func(v fleet.Verb, a fleet.Action) (fleet.Cluster, error) {
			lines = append(lines, fmt.Sprint(v, " ", a.Cluster, " ", a.Node, " ", a.State))
			switch v {
			case fleet.Failover:
			case fleet.Start:
				if !now[a.Node] {
					t.Errorf("%s is healed and was not broken", a.Node)
				}
				delete(now, a.Node)
			default:
				now[a.Node] = true
			}
			// Node 0 of each cluster is the primary throughout.
			view := fleet.Cluster{Nodes: make([]fleet.Node, 5)}
			view.Nodes[0].Roles = map[string]string{"0": "primary"}
			return view, nil
		})
	for range steps {
		if err := c.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		unwell = append(unwell, len(now))
	}
	return lines, unwell
}

func TestChurnIsSeeded(t *testing.T) {
	one, _ := story(t, 7, 300)
	same, _ := story(t, 7, 300)
	other, _ := story(t, 8, 300)
	if diff := cmp.Diff(one, same); diff != "" {
		t.Errorf("two stories of one seed:\n%s", diff)
	}
	if cmp.Equal(one, other) {
		t.Error("another seed tells the same story")
	}
}

func TestChurnKeepsOneInAHundredUnwell(t *testing.T) {
	lines, unwell := story(t, 1, 1000)
	for i, n := range unwell {
		if n > 10 || i > 50 && n < 8 {
			t.Fatalf("%d of 1000 are unwell after %d steps, want about 10", n, i+1)
		}
	}
	for _, verb := range []string{"stop", "silent", "state", "lag", "garbage", "lie", "start", "failover"} {
		if !strings.Contains(strings.Join(lines, "\n"), verb+" ") {
			t.Errorf("there is no %s in a story of 1000 steps", verb)
		}
	}
}

func TestChurnFailsABrokenPrimaryOver(t *testing.T) {
	lines, _ := story(t, 1, 1000)
	broken := 0
	for i, line := range lines[:len(lines)-1] {
		verb, rest, _ := strings.Cut(line, " ")
		node := strings.Fields(rest)
		if verb != "stop" && verb != "silent" && verb != "state" || !strings.HasSuffix(node[1], "-0") {
			continue
		}
		broken++
		if want := "failover " + node[0] + " " + node[1] + " "; lines[i+1] != want {
			t.Errorf("after %q comes %q, want %q", line, lines[i+1], want)
		}
	}
	if broken == 0 {
		t.Error("no primary was broken in 1000 steps")
	}
}

func TestChurnOfAFleet(t *testing.T) {
	p := play(t, fleet.Config{Clusters: 20, Nodes: 5, Churn: 5000})
	deadline := time.After(10 * time.Second)
	for {
		n, err := p.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n.Unwell > 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatal("nothing has happened in 10 s")
		default:
		}
	}
}
