package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRaftIsKnownWithoutALeader looks at the raft group from a peer that is left alone, and from one that is not.
func TestRaftIsKnownWithoutALeader(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		p := w.follower()
		states := func() map[string]string {
			conf, err := raftFace{p.Agent}.Known()
			if err != nil {
				t.Fatal(err)
			}
			out := map[string]string{}
			for _, s := range conf.Servers {
				out[s.Name] = s.State
				if !s.Voter || s.Address == "" || conf.Index == 0 || (s.AppliedIndex > 0) != (s.ID == p.id) {
					t.Errorf("it knows %+v at %d", s, conf.Index)
				}
			}
			return out
		}
		want := map[string]string{w.leader().cfg.Name: "leader"}
		for _, other := range w.peers {
			if want[other.cfg.Name] == "" {
				want[other.cfg.Name] = "follower"
			}
		}
		w.until("all to be known as what they are", func() bool { return cmp.Equal(want, states()) })
		w.isolate(p)
		want = map[string]string{}
		for _, other := range w.peers {
			want[other.cfg.Name] = "unheard"
		}
		want[p.cfg.Name] = "candidate"
		w.until("the others to be unheard", func() bool { return cmp.Equal(want, states()) })
		if _, err := (raftFace{p.Agent}).Configuration(t.Context()); err == nil {
			t.Error("somebody leads")
		}
		w.heal()
	})
}
