package discovery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// grantsOf are the claims that were asked for.
func grantsOf(commands []fsm.Command) (out []*fsm.ClaimGrant) {
	for _, c := range commands {
		if g, ok := c.(*fsm.ClaimGrant); ok {
			out = append(out, g)
		}
	}
	return out
}

// watching says whether the runner watches now.
func (d *desk) watching() bool {
	d.commands(10 * time.Millisecond)
	d.source.mu.Lock()
	defer d.source.mu.Unlock()
	return d.source.running == 1
}

// What moves is run at once by the watcher itself, and only that is read.
func TestNudgeBecomesARun(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.source.nudge([]string{"c001", "c000"})
		grants := grantsOf(d.commands(time.Second))
		if len(grants) != 1 || grants[0].Peer != "a" || grants[0].Reason != fsm.WhyNudge {
			t.Fatalf("asked for %+v", grants)
		}
		if names := slices.Sorted(slices.Values(grants[0].Names)); !cmp.Equal(names, []string{"c000", "c001"}) {
			t.Errorf("it names %v", names)
		}
		if len(d.source.wants) != 1 || len(d.source.wants[0].Names) != 2 || d.Read().Claim(d.subject()) != nil {
			t.Errorf("it was read as %+v, the claim is %+v", d.source.wants, d.Read().Claim(d.subject()))
		}
	})
}

// Nudges that meet an open run are kept, and run together when it closes.
func TestNudgesWaitForTheOpenRun(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.source.takes = 5 * time.Second
		d.run(fsm.WhyDue)
		d.commands(time.Second)
		d.source.nudge([]string{"x"})
		d.commands(time.Second)
		d.source.nudge([]string{"y"})
		if grants := grantsOf(d.commands(time.Second)); len(grants) > 1 {
			t.Errorf("%d claims asked for while one is open", len(grants))
		}
		grants := grantsOf(d.commands(3 * time.Second))
		if len(grants) != 1 {
			t.Fatalf("%d claims asked for when it closed", len(grants))
		}
		if names := slices.Sorted(slices.Values(grants[0].Names)); !cmp.Equal(names, []string{"x", "y"}) {
			t.Errorf("it names %v", names)
		}
	})
}

// Without a leader nudges are kept and asked for again, at a bounded rate.
func TestNudgesWaitForALeader(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.mu.Lock()
		d.offline = fsm.Errorf(fsm.CodeUnavailable, "no leader")
		d.mu.Unlock()
		d.source.nudge([]string{"x"})
		d.commands(10 * time.Second)
		d.mu.Lock()
		d.offline = nil
		d.mu.Unlock()
		if grants := grantsOf(d.commands(1100 * time.Millisecond)); len(grants) != 1 || !cmp.Equal(grants[0].Names, []string{"x"}) {
			t.Errorf("asked for %+v when there was a leader", grants)
		}
	})
}

// More names than a nudge is worth become a full run.
func TestManyNudgesBecomeAFullRun(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		var names []string
		for i := range discovery.MaxNames + 1 {
			names = append(names, fmt.Sprint(i))
		}
		d.source.nudge(names)
		grants := grantsOf(d.commands(time.Second))
		if len(grants) != 1 || grants[0].Reason == fsm.WhyNudge || len(grants[0].Names) > 0 || !d.source.wants[0].Full() {
			t.Errorf("asked for %+v, read %+v", grants, d.source.wants)
		}
	})
}

// The leader watches what any peer may run; where `on` shuts it out, and for files, the first allowed peer that is alive.
func TestWhoWatches(t *testing.T) {
	for _, c := range []struct {
		backend, on, leader string
		alive               [2]bool // a, b
		want                bool    // whether a watches
	}{
		{"consul", "any", "a", [2]bool{true, true}, true},
		{"consul", "any", "b", [2]bool{true, true}, false},
		{"consul", "peer-a", "b", [2]bool{true, true}, true},
		{"consul", "peer-b", "a", [2]bool{true, true}, false},
		{"file", "any", "b", [2]bool{true, true}, true},
		{"file", "any", "a", [2]bool{false, true}, false},
		{"file", "peer-b", "a", [2]bool{true, true}, false},
		{"file", "peer-b", "a", [2]bool{true, false}, false},
	} {
		atDesk(t, func(s *fsm.Spec) { s.Backend, s.On = c.backend, c.on }, func(t *testing.T, d *desk) {
			d.apply(&fsm.LeaderChange{ID: c.leader, Name: "peer-" + c.leader, Term: 2})
			for i, id := range []string{"a", "b"} {
				p := fsm.Peer{ID: id, Name: "peer-" + id, Status: fsm.PeerAlive}
				if !c.alive[i] {
					p.Status = fsm.PeerGone
				}
				d.apply(&fsm.PeerSet{Peer: p})
			}
			if got := d.watching(); got != c.want {
				t.Errorf("%+v: a watches: %v", c, got)
			}
		})
	}
}

// A watch follows the leader, the setting and whether there is one: it ends with its reason and begins anew.
func TestWatchFollowsTheState(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		begun := func(what string, times int, now bool) {
			t.Helper()
			if got := d.watching(); got != now || d.source.begun != times {
				t.Errorf("%s: watching %v, for the %d. time; want %v, %d", what, got, d.source.begun, now, times)
			}
		}
		begun("at first", 1, true)
		d.apply(&fsm.LeaderChange{ID: "b", Name: "peer-b", Term: 2})
		begun("another leads", 1, false)
		d.apply(&fsm.LeaderChange{ID: "a", Name: "peer-a", Term: 3})
		begun("it leads again", 2, true)
		d.set(func(s *fsm.Spec) { s.Config = `{"tags":["x"]}` })
		begun("another setting", 3, true)
		d.source.records = listed(1, 1)
		d.run(fsm.WhyDue)
		begun("a run", 3, true)
		d.set(func(s *fsm.Spec) { s.Enabled = false })
		begun("disabled", 3, false)
		d.set(nil)
		begun("enabled", 4, true)
		d.apply(&fsm.DiscoveryDelete{Name: "d"})
		begun("deleted", 4, false)
	})
}
