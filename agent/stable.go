package agent

import (
	"bytes"
	"runtime"

	"github.com/hashicorp/raft"
)

// stable is raft's stable store. Raft panics when it cannot save its term, which would end the process without a farewell and
// without its error. The store has failed for good by then and ends the peer by itself, so raft's loop, which saves the term,
// only goes no further; raft can be shut down as ever.
type stable struct {
	raft.StableStore
	logs raft.LogStore
}

// SetUint64 is raft.StableStore's. A peer without a log may be founding: there raft passes the error on.
func (s stable) SetUint64(key []byte, n uint64) error {
	err := s.StableStore.SetUint64(key, n)
	if err == nil || !bytes.Equal(key, keyTerm) {
		return err
	}
	if last, lastErr := s.logs.LastIndex(); lastErr == nil && last == 0 {
		return err
	}
	runtime.Goexit()
	return nil
}
