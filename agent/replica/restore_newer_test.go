package replica_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// TestNoOlderSnapshotInPlaceOfALaterRelease restores a snapshot after one of a later release, as raft does: it is refused.
func TestNoOlderSnapshotInPlaceOfALaterRelease(t *testing.T) {
	var older bytes.Buffer
	if err := fsm.NewState().Read().WriteSnapshot(&older); err != nil {
		t.Fatal(err)
	}
	for _, dead := range []error{nil, fsm.ErrNewer} {
		m := replica.New("p", func(error) {})
		m.Fail(dead)
		if err := m.Restore(io.NopCloser(bytes.NewReader(older.Bytes()))); !errors.Is(err, dead) {
			t.Errorf("after %v it was restored with: %v", dead, err)
		}
	}
}
