package consensus

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"
)

const (
	snapshotEntries = 1024

	// TrailingEntries stay in the log before a snapshot: who lacks more of them is sent the snapshot, which costs it less than
	// to apply them.
	TrailingEntries = 1024

	cachedEntries = 64 // of the log in memory: as many as raft sends at once
)

// Parts are what raft is made of beside its logs.
type Parts struct {
	Config    *raft.Config
	FSM       raft.FSM
	Snapshots raft.SnapshotStore
	Transport Wire
}

// Config is raft's for the peer of an id, with its timing stretched by a multiplier from 1 to 10.
func Config(id string, multiplier int, log *slog.Logger) *raft.Config {
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(id)
	conf.Logger = Logger(log)
	election := time.Duration(multiplier*500) * time.Millisecond
	conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = election, election, election/2
	conf.CommitTimeout = 250 * time.Millisecond // what it is for, the herald does at once
	conf.SnapshotThreshold = snapshotEntries
	conf.SnapshotInterval = 10 * time.Second
	conf.TrailingLogs = TrailingEntries
	conf.NoLegacyTelemetry = true
	return conf
}

// Start makes raft, which restores the state before it returns. It panics with the error of an entry that raft cannot go on with.
func Start(p Parts, logs *Logs, stable raft.StableStore) (*raft.Raft, error) {
	patient := newPatient(p.Transport)
	r, err := raft.NewRaft(p.Config, p.FSM, logs, stable, p.Snapshots, patient)
	if err == nil {
		logs.raft.Store(r)
		patient.raft.Store(r)
	}
	return r, err
}

// Caught makes an error of such a panic, when it is deferred.
func Caught(err *error) {
	why := recover()
	if why == nil {
		return
	}
	cause, ok := why.(error)
	if !ok {
		cause = fmt.Errorf("raft: %v", why)
	}
	*err = cause
}
