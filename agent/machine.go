package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

// machine is the state as raft sees it, and the replica as this peer's own parts do.
type machine struct {
	state *fsm.State
	peer  string          // own id
	level uint32          // the highest feature level it understands
	fatal func(err error) // ends the process: an entry may not be skipped
	runs  *claimQueue     // claims of this peer
	polls *claimQueue

	mu       sync.Mutex
	dead     error // after what may not be skipped nothing more is applied
	follower *touchedQueue
	bytes    int64 // of entries since the last snapshot
	at       place // of the last applied entry

	entries, entryBytes atomic.Int64 // since the process started
	told                *prometheus.CounterVec
}

func newMachine(peer string, fatal func(error)) *machine {
	m := &machine{
		state: fsm.NewState(), peer: peer, level: fsm.FeatureLevel, fatal: fatal,
		told: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_agent_events_total", Help: "Events of the entries applied since this peer started, by type.",
		}, []string{"type"}),
	}
	m.runs = newClaimQueue(m, fsm.KindRun)
	m.polls = newClaimQueue(m, fsm.KindRefresh)
	return m
}

// Apply is raft.FSM's: one entry, one transaction. It answers with *fsm.Applied or an error.
func (m *machine) Apply(l *raft.Log) any {
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
	m.at = place{Index: l.Index, Term: l.Term}
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
func (m *machine) understands() error {
	if level := m.state.Read().Meta().Feature; level > m.level {
		return fmt.Errorf("the group is at feature level %d: %w", level, fsm.ErrNewer)
	}
	return nil
}

func (m *machine) offer(c *fsm.Claim) {
	switch {
	case c.Peer != m.peer:
	case c.Subject.Kind == fsm.KindRun:
		m.runs.put(c)
	default:
		m.polls.put(c)
	}
}

// Snapshot is raft.FSM's: it pins the state in no time.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead != nil {
		return nil, m.dead
	}
	m.bytes = 0
	return pinned{m.state.Read()}, nil
}

// Restore is raft.FSM's: the state is replaced, and the claims of this peer are taken up from it. The snapshot may be older
// than the state.
func (m *machine) Restore(from io.ReadCloser) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead != nil { // raft tries an older snapshot after one that may not be skipped
		return errors.Join(m.dead, from.Close())
	}
	err := m.state.Restore(from)
	if err = errors.Join(err, from.Close()); err != nil {
		if errors.Is(err, fsm.ErrNewer) {
			m.dead = err
			m.fatal(err)
		}
		return err
	}
	for c := range m.state.Read().ClaimsOf(m.peer) {
		m.offer(c)
	}
	return nil
}

// pinned is a state to be written as a snapshot while later entries are applied.
type pinned struct{ *fsm.Reader }

// Persist is raft.FSMSnapshot's.
func (p pinned) Persist(sink raft.SnapshotSink) error {
	own(sink)
	if err := p.WriteSnapshot(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// own tells a store that wants to know that a snapshot is this peer's own, and none that another peer sent.
func own(sink raft.SnapshotSink) {
	if s, ok := sink.(interface{ Own() }); ok {
		s.Own()
	}
}

// Release is raft.FSMSnapshot's; a reader needs no closing.
func (pinned) Release() {}

// Read is the replica's state as it stands now.
func (m *machine) Read() *fsm.Reader { return m.state.Read() }

// WaitIndex returns once the replica has applied the entry of that index.
func (m *machine) WaitIndex(ctx context.Context, index uint64) error {
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

// follow tells the leader's scheduler, from now on, which subjects entries touch; nil ends it.
func (m *machine) follow(q *touchedQueue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.follower = q
}

// place is that of an entry in raft's log.
type place struct{ Index, Term uint64 }

// last is the place of the last applied entry, zero before this process applied one.
func (m *machine) last() place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

// logBytes is how many bytes of entries were applied since the last snapshot.
func (m *machine) logBytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// failed is why nothing more is applied, nil while all is well.
func (m *machine) failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}
