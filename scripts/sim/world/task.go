package world

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// task is code of a peer that waits now and then: a coroutine, which runs only while the world has it do so.
type task struct {
	w     *World
	p     *peer
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	claim *fsm.Claim // of a run
	dead  bool       // its peer crashed: what it still does leads nowhere
	done  bool
}

// errDead is what everything answers to the code of a peer that crashed.
var errDead = errors.New("the peer has crashed")

// spawn begins a task.
func (p *peer) spawn(body func(t *task)) {
	t := &task{w: p.w, p: p}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		body(t)
	})
	p.tasks = append(p.tasks, t)
	t.poke()
}

// poke lets a task go on, that looks whether what it waits for has come.
func (t *task) poke() {
	if t.dead || t.done {
		return
	}
	before := t.w.running
	t.w.running = t
	_, more := t.next()
	t.w.running = before
	if !more {
		t.done = true
		t.p.tasks = slices.DeleteFunc(t.p.tasks, func(o *task) bool { return o == t })
	}
}

// park waits for a poke; false when there will be none.
func (t *task) park() bool {
	if t.dead {
		return false
	}
	if !t.yield(struct{}{}) {
		t.dead = true
	}
	return !t.dead
}

// kill has a task run to its end with everything failing.
func (t *task) kill() {
	t.dead = true
	before := t.w.running
	t.w.running = t
	t.stop()
	t.w.running = before
	t.done = true
}

// drop kills a task of a world that has failed, whatever the code makes of that.
func (t *task) drop() {
	defer func() { _ = recover() }()
	t.kill()
}

// await waits until something is so; false when it is not by a time of the world, or will never be.
func (t *task) await(until time.Duration, done func() bool) bool {
	if done() {
		return !t.dead
	}
	if until < forever {
		t.w.after(until-t.w.now, t.poke)
	}
	for !done() {
		if t.w.now >= until || !t.park() {
			return false
		}
	}
	return !t.dead
}

const forever = time.Duration(1 << 62)

// sleep waits for a while; false when the peer crashed meanwhile.
func (t *task) sleep(d time.Duration) bool {
	until := t.w.now + d
	return t.await(until+1, func() bool { return t.w.now >= until })
}

// deadline is the context of a task: over at a time of the world, or when its peer has crashed.
type deadline struct {
	t  *task
	at time.Duration
}

// Deadline is context.Context's; it is none of the clock of this machine.
func (deadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is context.Context's; nobody waits by a channel here.
func (deadline) Done() <-chan struct{} { return nil }

// Err is context.Context's.
func (d deadline) Err() error {
	switch {
	case d.t.dead:
		return context.Canceled
	case d.t.w.now >= d.at:
		return context.DeadlineExceeded
	}
	return nil
}

// Value is context.Context's.
func (deadline) Value(any) any { return nil }
