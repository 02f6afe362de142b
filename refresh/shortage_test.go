package refresh_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// What this peer lacks is no fault of the node: the refresh fails, and nothing is counted, noted or told of any node.
func TestShortageFailsTheRefresh(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE} {
		t.Run(errno.Error(), func(t *testing.T) {
			p := &prober{report: wellReport}
			atWork(t, p, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
				b.respec(func(s *fsm.RefreshSpec) { s.DownAfter = 1 })
				subject := b.grant(ids...)[0].Subject
				b.settle(time.Second)
				before := b.state.Read().Meta().Seq
				p.report = func(to refresh.Target) fsm.Report {
					if to.Node == "n0" {
						return to.Failed(dialing(os.NewSyscallError("socket", errno)))
					}
					return wellReport(to)
				}
				for range 3 {
					b.grant(ids...)
					b.settle(time.Second)
				}
				r := b.state.Read()
				want := "this peer could not ask n0: dial: socket: " + errno.Error()
				if last := r.Schedule(subject).Last; last.Outcome != fsm.OutcomeFailed || last.Error != want {
					t.Errorf("the refresh ended with %+v", last)
				}
				if r.Meta().Seq != before || !r.Schedule(subject).Notes.IsZero() {
					t.Errorf("%d events and the notes %+v", r.Meta().Seq-before, r.Schedule(subject).Notes)
				}
				p.report = wellReport
				b.grant(ids...)
				b.settle(time.Second)
				if last := b.state.Read().Schedule(subject).Last; last.Outcome != fsm.OutcomeUnchanged {
					t.Errorf("with files again it ended with %+v", last)
				}
			})
		})
	}
}
