package agent

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/mint"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
)

// TestStrangerIsRefused calls the peers of a group, from the network of theirs and with its id, as a peer that is not in it.
func TestStrangerIsRefused(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		id := mint.ID(time.Now())
		leader := w.leader()
		port, err := peerport.New(peerport.Config{
			ID: id, Group: leader.groupID, Listener: w.net.Listen("127.0.9.9:8651"), Dial: w.net.DialFrom("127.0.9.9"),
			Resolve: leader.resolve, Handler: http.NotFoundHandler(),
		})
		if err != nil {
			t.Fatal(err)
		}
		refused := func(what string, err error) {
			t.Helper()
			var r *peerport.RefusedError
			if !errors.As(err, &r) || r.Reason != peerport.NotMember {
				t.Errorf("%s: %v, want a refusal", what, err)
			}
		}
		for _, p := range w.peers {
			_, err := port.Streams().Dial(raft.ServerAddress(p.id), time.Second)
			refused("raft at "+p.name, err)
			for _, path := range []string{pathPropose, pathHear, pathRestore, callIndex.path, callLeave.path, callTransfer.path, callAsk.path} {
				_, err := port.Client().Do(t.Context(), peerport.Request{Peer: p.id, Path: path, Body: []byte("{}")})
				refused(path+" at "+p.name, err)
			}
		}
		if _, err := port.Client().Do(t.Context(), peerport.Request{Peer: leader.id, Path: callRaft.path, Body: []byte("{}")}); err != nil {
			t.Errorf("it cannot learn that it is not in the group: %v", err)
		}
	})
}

// TestAwayWhileAllWereReplaced stops a peer until none of those it knows is left: it must take up the entries of strangers.
func TestAwayWhileAllWereReplaced(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		away := w.follower()
		away.end()
		old := w.others(away)
		for _, name := range []string{"peer-d", "peer-e"} {
			w.add(name).start(nil)
		}
		w.leader().await("two more", rows(4))
		w.until("five voters", func() bool {
			voters := 0
			for _, s := range w.suffrage() {
				if s == raft.Voter {
					voters++
				}
			}
			return voters == 5
		})
		for _, p := range old {
			if err := (lifeFace{p.Agent}).Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.ended(nil)
		}
		w.leader().await("them to be gone", func(r *fsm.Reader) bool { return r.Peer(old[0].id) == nil && r.Peer(old[1].id) == nil })
		away.start(nil)
		away.await("what happened meanwhile", func(r *fsm.Reader) bool { return r.Peer(old[1].id) == nil && rows(3)(r) })
	})
}
