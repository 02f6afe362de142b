package replica_test

import (
	"bytes"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// shelved is a snapshot in memory.
type shelved struct{ bytes.Buffer }

func (*shelved) Close() error  { return nil }
func (*shelved) ID() string    { return "shelved" }
func (*shelved) Cancel() error { return nil }

// TestSnapshotIsPinned applies an entry between the moment a snapshot is of and its being written: raft will give the entry
// to whoever restores it, so that it must not be in there.
func TestSnapshotIsPinned(t *testing.T) {
	m := replica.New("peer-a", func(err error) { t.Error(err) })
	apply := func(index uint64) {
		entry := fsm.Entry(fsm.Time(1000*index), fsm.Frame(&fsm.OperatorAct{Action: "act", Cause: fsm.Cause{Kind: fsm.CauseOperator}}))
		if err, failed := m.Apply(&raft.Log{Index: index, Term: 1, Data: entry}).(error); failed {
			t.Fatal(err)
		}
	}
	apply(7)
	snap, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	apply(8)
	var written shelved
	if err := snap.Persist(&written); err != nil {
		t.Fatal(err)
	}
	head, err := fsm.VerifySnapshot(&written.Buffer)
	if err != nil || head.Index != 7 {
		t.Errorf("the snapshot taken at entry 7 is of entry %d, error %v", head.Index, err)
	}
	if at := m.Read().Meta().Index; at != 8 {
		t.Errorf("the state is at entry %d", at)
	}
}
