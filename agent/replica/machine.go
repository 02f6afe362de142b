package replica

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

// Machine is the state as raft sees it, and the replica as this peer's own parts do. It may be used by many goroutines.
type Machine struct {
	// Level is the highest feature level that this peer understands: fsm.FeatureLevel, unless it is changed before raft has the
	// machine.
	Level uint32

	state *fsm.State
	peer  string          // own id
	fatal func(err error) // ends the process: an entry may not be skipped
	runs  *Claims         // of this peer
	polls *Claims

	mu       sync.Mutex
	dead     error // after what may not be skipped nothing more is applied
	follower *Touched
	bytes    int64 // of entries since the last snapshot
	at       Place // of the last applied entry

	entries, entryBytes atomic.Int64 // since the process started
	told                *prometheus.CounterVec
}

// New makes the replica of a peer, which holds nothing until raft gives it something. It calls fatal, once, with what may not be
// skipped.
func New(peer string, fatal func(error)) *Machine {
	m := &Machine{
		Level: fsm.FeatureLevel, state: fsm.NewState(), peer: peer, fatal: fatal,
		told: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_agent_events_total", Help: "Events of the entries applied since this peer started, by type.",
		}, []string{"type"}),
	}
	m.runs = newClaims(m, fsm.KindRun)
	m.polls = newClaims(m, fsm.KindRefresh)
	return m
}

// Apply is raft.FSM's: one entry, one transaction. It answers with *fsm.Applied or an error.
func (m *Machine) Apply(l *raft.Log) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead != nil {
		return m.dead
	}
	applied, err := m.state.Apply(l.Index, l.Data)
	if err == nil && applied.Peers {
		err = m.understands()
	}
	if err != nil {
		m.dead = fmt.Errorf("apply the log: %w", err)
		m.fatal(m.dead)
		return m.dead
	}
	m.bytes += int64(len(l.Data))
	m.at = Place{Index: l.Index, Term: l.Term}
	m.entries.Add(1)
	m.entryBytes.Add(int64(len(l.Data)))
	for _, event := range applied.Events {
		m.told.WithLabelValues(string(event)).Inc()
	}
	for _, c := range applied.Granted {
		m.offer(c)
	}
	if m.follower != nil {
		m.follower.add(applied)
	}
	return applied
}

// understands says whether this release reads what the group may have in its log from here on.
func (m *Machine) understands() error {
	if level := m.state.Read().Meta().Feature; level > m.Level {
		return fmt.Errorf("the group is at feature level %d: %w", level, fsm.ErrNewer)
	}
	return nil
}

func (m *Machine) offer(c *fsm.Claim) {
	switch {
	case c.Peer != m.peer:
	case c.Subject.Kind == fsm.KindRun:
		m.runs.put(c)
	default:
		m.polls.put(c)
	}
}

// Read is the replica's state as it stands now.
func (m *Machine) Read() *fsm.Reader { return m.state.Read() }

// WaitIndex returns once the replica has applied the entry of that index.
func (m *Machine) WaitIndex(ctx context.Context, index uint64) error {
	for {
		w := m.state.Read().Applied()
		if w.Index >= index {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for entry %d: %w", index, context.Cause(ctx))
		case <-w.Changed:
		case <-w.Abandoned:
		}
	}
}

// BeginEpoch makes another group of the state, and returns the index that it is at then. It is for a state that no raft holds:
// that of a peer which is stopped.
func (m *Machine) BeginEpoch(as fsm.Rebirth) (uint64, error) { return m.state.BeginEpoch(as) }

// Place is that of an entry in raft's log.
type Place struct{ Index, Term uint64 }

// Last is the place of the last applied entry, zero before this process applied one.
func (m *Machine) Last() Place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

// LogBytes is how many bytes of entries were applied since the last snapshot.
func (m *Machine) LogBytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// Entries is how many entries were applied since the process started.
func (m *Machine) Entries() int64 { return m.entries.Load() }

// EntryBytes is how many bytes those had.
func (m *Machine) EntryBytes() int64 { return m.entryBytes.Load() }

// Told counts the events of those, by type.
func (m *Machine) Told() prometheus.Collector { return m.told }

// Failed is why nothing more is applied, nil while all is well.
func (m *Machine) Failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}
