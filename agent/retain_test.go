package agent

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

// Events go when they are beyond a limit also where no term lasts a minute, and never twice within one.
func TestShortTermsTrim(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) { // at the end of inBubble the first event must still be there
		for i := range 3 {
			w.add(fmt.Sprintf("peer-%c", 'a'+i)).start(func(c *Config) { c.BootstrapExpect = 3 })
		}
		leader := w.leader()
		leader.await("all peers' rows", rows(3))
		settings := *leader.machine.Read().Settings()
		settings.Retention.Events = 200
		leader.apply(&fsm.SettingsSet{Settings: settings})

		var trimmed []fsm.Time
		for i := range 15 {
			leader.grow(1)
			next := w.peers[i%3]
			if next != leader {
				if err := leader.raft.LeadershipTransferToServer(raft.ServerID(next.id), raft.ServerAddress(next.id)).Error(); err != nil {
					t.Fatal(err)
				}
			}
			leader = w.leaderOf([]*peer{next})
			w.pass(20 * time.Second)
			if at := leader.machine.Read().Meta().Trimmed; at != 0 && !slices.Contains(trimmed, at) {
				trimmed = append(trimmed, at)
			}
		}
		if len(trimmed) < 3 {
			t.Errorf("in five minutes events were trimmed at %v", trimmed)
		}
		for i := 1; i < len(trimmed); i++ {
			if trimmed[i].Sub(trimmed[i-1]).Std() < retainEvery {
				t.Errorf("events were trimmed at %s and at %s", trimmed[i-1], trimmed[i])
			}
		}
	})
}
