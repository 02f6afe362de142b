package agent

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// TestPeerThatStoppedIsToldApart stops one peer on purpose and loses another: the reason tells which was which.
func TestPeerThatStoppedIsToldApart(t *testing.T) {
	for want, end := range map[string]func(*peer){"stopped": (*peer).end, "silent": (*peer).crash} {
		t.Run(want, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				leader, one := w.leader(), w.follower()
				before := leader.seq()
				end(one)
				leader.await("the peer gone", told(before, fsm.PeerFailed, 1))
				e := leader.events(before, string(fsm.PeerFailed))[0]
				if part, ok := e.After.(*fsm.PeerPart); !ok || part.Name != one.name || part.Reason != want {
					t.Errorf("it is told as %+v", e.After)
				}
			})
		})
	}
}
