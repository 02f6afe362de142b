package consensus

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// raft's names for its term and its last vote in the stable store.
var (
	keyTerm     = []byte("CurrentTerm")
	keyVoteTerm = []byte("LastVoteTerm")
)

// Blank says whether a peer has no log yet: no entry and no snapshot. Raft writes a term before its first entry, so a crash
// while it was founding can leave a term alone, and raft would not found again. Such a term is taken back, unless the peer
// has voted: then it was never founding, and its vote must stand.
func Blank(logs raft.LogStore, stable raft.StableStore, snapshots raft.SnapshotStore) (bool, error) {
	last, err := logs.LastIndex()
	if err != nil {
		return false, err
	}
	kept, err := snapshots.List()
	if err != nil || last > 0 || len(kept) > 0 {
		return false, err
	}
	voted, err := number(stable, keyVoteTerm)
	if err != nil {
		return false, err
	}
	term, err := Term(stable)
	if err != nil {
		return false, err
	}
	if term > 0 && voted == 0 {
		if err := stable.SetUint64(keyTerm, 0); err != nil {
			return false, fmt.Errorf("take an unfounded term back: %w", err)
		}
	}
	return true, nil
}

// Term is the term that a peer was last in, 0 for none.
func Term(store raft.StableStore) (uint64, error) { return number(store, keyTerm) }

// number reads a number that may not be there: then it is 0. Raft's contract for a missing key is the text of the error.
func number(store raft.StableStore, key []byte) (uint64, error) {
	n, err := store.GetUint64(key)
	if err != nil && err.Error() == "not found" {
		return 0, nil
	}
	return n, err
}
