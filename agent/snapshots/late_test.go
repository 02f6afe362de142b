package snapshots_test

import (
	"errors"
	"io"
	"math"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/snapshots"
)

// TestWhatCameTooLate has a peer whose log is entries 5 to 25 of term 1 take up what the leader sent, and write its own.
func TestWhatCameTooLate(t *testing.T) {
	for _, test := range []struct {
		name                 string
		applied, index, term uint64
		late                 bool
	}{
		{"what is applied", 25, 24, 1, true},
		{"what is applied, of another term", 25, 24, 2, true},
		{"the state as it is, as when the answer was lost", 25, 25, 1, false},
		{"the state as it is, within the log", 22, 22, 1, true},
		{"what the log holds, and more", 10, 20, 1, true},
		{"what the log holds, to its end", 10, 25, 1, false},
		{"another entry than the log holds", 10, 20, 2, false},
		{"more than there is", 25, 30, 1, false},
		{"an entry before raft is there", math.MaxUint64, 30, 1, true},
	} {
		p := newPeer(t, 5, 25)
		s, err := snapshots.Open(snapshots.Config{
			Dir: p.dir, Logs: p.logs, Logger: hclog.NewNullLogger(), Applied: func() uint64 { return test.applied },
		})
		if err != nil {
			t.Fatal(err)
		}
		_, transport := raft.NewInmemTransport("a")
		for _, own := range []bool{false, true} {
			for _, what := range []string{"", "a state"} {
				sink, err := s.Create(1, test.index, test.term, conf, 1, transport)
				if err != nil {
					t.Fatal(err)
				}
				if own {
					sink.(interface{ Own() }).Own()
				}
				_, err = io.WriteString(sink, what)
				if what == "" {
					err = sink.Close()
				} else if err := errors.Join(sink.Cancel()); err != nil {
					t.Error(err)
				}
				if late := errors.Is(err, snapshots.ErrLate); late != (test.late && !own) {
					t.Errorf("%s, own %t, of %d bytes: %v", test.name, own, len(what), err)
				}
			}
		}
	}
}
