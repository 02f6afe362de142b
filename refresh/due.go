package refresh

import (
	"container/heap"
	"iter"
	"time"

	"github.com/musterhq/muster/fsm"
)

// Instant is a moment of one leader's term: logical time for what is written, and the monotonic time since it took over for
// what is waited for, so that a wall clock that jumps neither fires everything at once nor stops everything.
type Instant struct {
	Time fsm.Time
	Mono time.Duration
}

// entry is what the scheduler holds of one subject.
type entry struct {
	subject  fsm.Subject
	schedule *fsm.Schedule
	claim    *fsm.Claim    // the open claim
	heap     *dueHeap      // that holds it; nil for none
	at       time.Duration // when it is looked at: when due, or when its open claim expires
	dueAt    time.Duration // when it became or becomes due
	lapses   time.Duration // when the ttl of the open claim has passed
	why      string        // why it is due
	peer     string        // whom its polls are charged to
	wants
	polls int32 // charged to peer
	fails int32 // runs that failed in a row
	pos   int32 // in the heap
}

// dueHeap orders entries by when they are to be looked at. An entry is in one heap at most.
type dueHeap []*entry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = int32(i), int32(j)
}

// Push is heap.Interface's.
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.heap, e.pos = h, int32(len(*h))
	*h = append(*h, e)
}

// Pop is heap.Interface's.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.heap = nil
	return e
}

// move puts an entry where it belongs, taking it out of another heap.
func (h *dueHeap) move(e *entry, at time.Duration) {
	e.at = at
	if e.heap == h {
		heap.Fix(h, int(e.pos))
		return
	}
	e.leave()
	heap.Push(h, e)
}

// leave takes an entry out of its heap.
func (e *entry) leave() {
	if e.heap != nil {
		heap.Remove(e.heap, int(e.pos))
	}
}

// before yields the entries that are to be looked at by a time, in no order, without a look at the others.
func (h dueHeap) before(at time.Duration) iter.Seq[*entry] {
	return func(yield func(*entry) bool) { h.under(0, at, yield) }
}

func (h dueHeap) under(i int, at time.Duration, yield func(*entry) bool) bool {
	return i >= len(h) || h[i].at > at || yield(h[i]) && h.under(2*i+1, at, yield) && h.under(2*i+2, at, yield)
}
