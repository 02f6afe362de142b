package refresh_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// sizes is how many clusters the benchmarks of the scheduler have; its cost per grant must be the same for all.
var sizes = []int{10_000, 100_000}

// fleetOf leads so many clusters of three nodes, with peers that have room for all and have heard of nothing.
func fleetOf(b *testing.B, clusters int) *leader {
	l := lead(b, 16_384, "01JD0000000000000000000001", "01JD0000000000000000000002", "01JD0000000000000000000003")
	l.read(slices.Repeat([]int{3}, clusters)...)
	return l
}

// BenchmarkTakeover is what a new leader spends before its first beat.
func BenchmarkTakeover(b *testing.B) {
	for _, n := range sizes {
		l := fleetOf(b, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.begin()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(n), "ns/cluster")
		})
	}
}

// BenchmarkSchedule is one beat of a fleet at rest, a 120th of it due: what the beat before granted is closed unchanged by
// the entry that grants what is due now. What the state spends is not counted.
func BenchmarkSchedule(b *testing.B) {
	for _, n := range sizes {
		l := fleetOf(b, n)
		l.begin()
		for range 4 * 40 {
			l.rest(nil)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			granted := 0
			for b.Loop() {
				granted += l.rest(b)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(granted), "ns/grant")
		})
	}
}

// rest is a beat in which every open claim is completed unchanged. Only the scheduler's part of it is timed.
func (l *leader) rest(timed *testing.B) (granted int) {
	l.mono += quarter
	commands := l.sched.Beat(l.state.Read(), l.ready, l.now())
	l.sched.Backlog(l.now())
	if timed != nil {
		timed.StopTimer()
	}
	granted = len(grantsOf(commands))
	done := &fsm.RefreshUnchanged{AsOf: l.index}
	for c := range l.state.Read().Claims() {
		if c.Subject.Kind == fsm.KindRefresh {
			done.Add(c.Subject.ID, c.Token, 1)
		}
	}
	l.finishRuns()
	frames := [][]byte{fsm.Frame(done)}
	for _, c := range commands {
		frames = append(frames, fsm.Frame(c))
	}
	l.index++
	a, err := l.state.Apply(l.index, fsm.Entry(l.now().Time, frames...))
	if err != nil {
		l.t.Fatal(err)
	}
	if timed != nil {
		timed.StartTimer()
	}
	l.sched.Update(l.state.Read(), a.Touched, l.now())
	return granted
}

// BenchmarkPlace orders peers for a subject.
func BenchmarkPlace(b *testing.B) {
	for _, n := range []int{3, 100} {
		peers := peersNamed(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for id := uint64(0); b.Loop(); id++ {
				refresh.Place(fsm.Subject{Kind: fsm.KindRefresh, ID: id}, peers)
			}
		})
	}
}
