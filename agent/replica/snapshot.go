package replica

import (
	"errors"
	"io"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

// Snapshot is raft.FSM's: it pins the state in no time.
func (m *Machine) Snapshot() (raft.FSMSnapshot, error) {
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
func (m *Machine) Restore(from io.ReadCloser) error {
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
