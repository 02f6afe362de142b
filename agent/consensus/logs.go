package consensus

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// Logs is the log as raft has it: cached, and fitted to a snapshot that the leader sent.
//
// Raft by itself keeps the entries from before such a snapshot, among them those that the group never agreed on, and goes on
// behind a gap. It cannot tell the leader that it holds the entry of the snapshot, since no log entry says so: if the answer
// to the first entries after it is lost, the leader finds no place to go on from and sends the snapshot again and again, as
// fast as it can, until it has a later one. So all that such a snapshot covers is cleared, and the place of the snapshot is
// answered for as if it were in the log. Entries behind it stay also where the group never agreed on them: raft has them in mind,
// and overwrites them one by one as the leader's come.
type Logs struct {
	*raft.LogCache
	snapshots raft.SnapshotStore
	raft      atomic.Pointer[raft.Raft] // nil until it is made
	after     atomic.Pointer[place]     // that of the snapshot behind which the log begins, nil when no such one is known
}

// place is that of an entry in raft's log.
type place struct{ Index, Term uint64 }

// covered is the type of what is answered for a snapshot's place. Raft knows none like it: it is never to be applied.
const covered raft.LogType = 255

// FitLogs makes the log for raft from its store, and fits it to the newest snapshot.
func FitLogs(store raft.LogStore, snapshots raft.SnapshotStore) (*Logs, error) {
	cache, err := raft.NewLogCache(cachedEntries, store)
	if err != nil {
		return nil, err
	}
	l := &Logs{LogCache: cache, snapshots: snapshots}
	first, err := l.FirstIndex()
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	if s := l.newest(); s != nil && first == s.Index+1 {
		l.after.Store(s)
	}
	return l, nil
}

// Applied is the last entry that raft has given to the state; while raft is being made no entry is beyond it.
func (l *Logs) Applied() uint64 {
	if r := l.raft.Load(); r != nil {
		return r.AppliedIndex()
	}
	return math.MaxUint64
}

// newest is the place of the newest snapshot, nil when there is none that could be read.
func (l *Logs) newest() *place {
	all, err := l.snapshots.List()
	if err != nil || len(all) == 0 {
		return nil // raft itself meets the error, and says so
	}
	return &place{Index: all[0].Index, Term: all[0].Term}
}

// GetLog is raft.LogStore's.
func (l *Logs) GetLog(index uint64, log *raft.Log) error {
	err := l.LogCache.GetLog(index, log)
	s := l.after.Load()
	if !errors.Is(err, raft.ErrLogNotFound) || s == nil || s.Index != index {
		return err
	}
	if first, _ := l.FirstIndex(); first != index+1 {
		return err
	}
	*log = raft.Log{Index: s.Index, Term: s.Term, Type: covered}
	return nil
}

// IsMonotonic is raft.MonotonicLogStore's, asked when a snapshot has been put in the place of the state: true has raft clear
// the log. Entries that go on from the snapshot are kept, since this peer has said that it has them.
//
// A leader, whose operator restores, sends what is in its log to others: it does not answer for what is not.
func (l *Logs) IsMonotonic() bool {
	s := l.newest()
	last, err := l.LastIndex()
	if s == nil || err != nil {
		return false
	}
	if last >= s.Index {
		l.sever(s)
		return false
	}
	if r := l.raft.Load(); r == nil || r.State() != raft.Leader {
		l.after.Store(s)
	}
	return true
}

// sever takes the entries that a snapshot covers out of a log that goes on behind it, where they are not those of the snapshot. If
// the store does not do it, this peer ends.
func (l *Logs) sever(s *place) {
	var at raft.Log
	if l.LogCache.GetLog(s.Index, &at) != nil || at.Term == s.Term {
		return
	}
	first, err := l.FirstIndex()
	if err == nil && l.DeleteRange(first, s.Index) == nil {
		l.after.Store(s)
	}
}
