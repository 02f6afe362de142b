package agent

import (
	"errors"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// A peer speaks for itself alone: what it says or asks in another's name is refused.
func TestPeersSpeakForThemselves(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		leader, liar := w.leader(), w.follower()
		word := liar.word()
		word.Peer.ID = "01ANOTHERPEERALTOGETHER000"
		for path, q := range map[string]any{pathHear: word, callJoin.path: joinRequest{Peer: word.Peer}} {
			if err := liar.ask(t.Context(), leader.id, path, q, &nothing{}); !errors.Is(err, &fsm.Error{Code: fsm.CodeForbidden}) {
				t.Errorf("%s in another's name: %v", path, err)
			}
		}
	})
}
