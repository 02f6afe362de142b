package agent

import (
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// told is the sum of a metric's values whose labels hold all of some.
func (p *peer) told(name string, labels map[string]string) (sum float64) {
	p.w.t.Helper()
	families, err := p.cfg.Gatherer.Gather()
	if err != nil {
		p.w.t.Fatal(err)
	}
	found := false
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			left := len(labels)
			for _, l := range m.GetLabel() {
				if v, wanted := labels[l.GetName()]; wanted && v == l.GetValue() {
					left--
				}
			}
			if left == 0 {
				found, sum = true, sum+m.GetGauge().GetValue()+m.GetCounter().GetValue()
			}
		}
	}
	if !found {
		p.w.t.Errorf("%s tells no %s of %v", p.name, name, labels)
	}
	return sum
}

// tellsMetrics fails for each metric without labels that has another value.
func (p *peer) tellsMetrics(want map[string]float64) {
	p.w.t.Helper()
	for name, v := range want {
		if got := p.told(name, nil); got != v {
			p.w.t.Errorf("%s tells %s %v, want %v", p.name, name, got, v)
		}
	}
}

// TestRaftIsMeasured: peers tell where they stand, one that is cut off says for how long, and all count who led and what happened.
func TestRaftIsMeasured(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(2, 2, nil)
		leader, cut := w.leader(), w.follower()
		stats := leader.raft
		leader.tellsMetrics(map[string]float64{
			"muster_raft_term": float64(stats.CurrentTerm()), "muster_raft_last_index": float64(stats.LastIndex()),
			"muster_raft_commit_index": float64(stats.CommitIndex()), "muster_raft_snapshot_index": 0,
			"muster_raft_leader_known": 1, "muster_raft_leader_silence_seconds": 0,
			"muster_agent_feature_level": float64(fsm.FeatureLevel),
		})
		if voters := cut.told("muster_raft_servers", map[string]string{"suffrage": "voter"}); voters != 3 {
			t.Errorf("there are %v voters, want 3", voters)
		}
		if silent := cut.told("muster_raft_leader_silence_seconds", nil); silent > 0.5 {
			t.Errorf("a follower has heard nothing for %v s", silent)
		}
		for _, p := range w.peers {
			if n := p.told("muster_agent_events_total", map[string]string{"type": string(fsm.NodeDiscovered)}); n != 4 {
				t.Errorf("%s counts %v nodes that were discovered, want 4", p.name, n)
			}
		}

		leaders := cut.told("muster_raft_leader_changes_total", nil)
		w.isolate(cut)
		w.pass(20 * time.Second)
		cut.tellsMetrics(map[string]float64{"muster_raft_leader_known": 0})
		if silent := cut.told("muster_raft_leader_silence_seconds", nil); silent < 19 || silent > 21 {
			t.Errorf("who was cut off for 20 s has heard nothing for %v s", silent)
		}
		w.heal()
		w.pass(20 * time.Second)
		if again := cut.told("muster_raft_leader_changes_total", nil); w.leader() != leader || again != leaders {
			t.Errorf("who came back to the leader it had heard of %v leaders, before that of %v", again, leaders)
		}
		other := w.others(leader)[0]
		before := other.told("muster_raft_leader_changes_total", nil)
		if err := leader.asker.HandOver(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		w.until("another peer leads", func() bool { return w.leader() != leader })
		w.pass(time.Second)
		if after := other.told("muster_raft_leader_changes_total", nil); after != before+1 {
			t.Errorf("%s heard of %v leaders, then of %v", other.name, before, after)
		}
	})
}

// TestNoLeaderIsMeasured: who never heard of a leader has heard of none since it started.
func TestNoLeaderIsMeasured(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		p := w.add("peer-a")
		p.start(func(c *Config) { c.BootstrapExpect = 2 })
		w.pass(time.Minute)
		p.tellsMetrics(map[string]float64{
			"muster_raft_leader_known": 0, "muster_raft_leader_silence_seconds": 60, "muster_raft_leader_changes_total": 0,
		})
	})
}
