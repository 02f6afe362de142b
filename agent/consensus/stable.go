package consensus

import (
	"bytes"

	"github.com/hashicorp/raft"
)

// Stable is raft's stable store over a log store that latches. Raft panics when it cannot save its term, which would end the
// process without a farewell and without its error. Once the store has latched no entry and no vote is stored any more:
// nothing is acknowledged or granted in such a term that a restart would forget. So raft is told that the term is saved, and
// goes on until the store's error has ended the peer.
type Stable struct {
	raft.StableStore
	Latched func() error // why nothing is stored any more, nil while it is
}

// SetUint64 is raft.StableStore's.
func (s Stable) SetUint64(key []byte, n uint64) error {
	err := s.StableStore.SetUint64(key, n)
	if bytes.Equal(key, keyTerm) && s.Latched() != nil {
		err = nil
	}
	return err
}
