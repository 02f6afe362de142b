package consensus_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
)

// TestMultiplierStretchesRaft checks raft's timing at both ends of the multiplier; raft must accept it.
func TestMultiplierStretchesRaft(t *testing.T) {
	for multiplier, election := range map[int]time.Duration{1: 500 * time.Millisecond, 10: 5 * time.Second} {
		conf := consensus.Config("p", multiplier, slog.New(slog.DiscardHandler))
		if conf.HeartbeatTimeout != election || conf.ElectionTimeout != election || conf.LeaderLeaseTimeout != election/2 {
			t.Errorf("×%d: heartbeat %s, election %s, lease %s", multiplier, conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout)
		}
		if err := raft.ValidateConfig(conf); err != nil {
			t.Errorf("×%d: %v", multiplier, err)
		}
	}
}
