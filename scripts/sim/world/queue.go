package world

import (
	"container/heap"
	"time"
)

// queue is what is to happen, in order of time and then of when it was arranged.
type queue struct {
	list []event
	n    uint64
}

type event struct {
	at time.Duration
	n  uint64
	do func()
}

func (q *queue) Len() int { return len(q.list) }

func (q *queue) Less(i, j int) bool {
	a, b := &q.list[i], &q.list[j]
	return a.at < b.at || a.at == b.at && a.n < b.n
}

func (q *queue) Swap(i, j int) { q.list[i], q.list[j] = q.list[j], q.list[i] }

// Push is heap.Interface's.
func (q *queue) Push(x any) { q.list = append(q.list, x.(event)) }

// Pop is heap.Interface's.
func (q *queue) Pop() any {
	last := len(q.list) - 1
	e := q.list[last]
	q.list[last] = event{}
	q.list = q.list[:last]
	return e
}

// next does what is next.
func (q *queue) next(w *World) {
	e := heap.Pop(q).(event)
	w.now = max(w.now, e.at)
	e.do()
}

// after arranges for something to happen.
func (w *World) after(d time.Duration, do func()) {
	w.queue.n++
	heap.Push(&w.queue, event{w.now + d, w.queue.n, do})
}
