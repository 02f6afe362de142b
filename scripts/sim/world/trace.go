package world

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// trace is what happened: a hash of all steps, and the last of them in words.
type trace struct {
	w     *World
	to    io.Writer
	steps int
	hash  uint64
	last  [keptSteps]step
}

const keptSteps = 120

type step struct {
	at        time.Duration
	what, who string
	n         uint64
	more      string
}

func newTrace(w *World, to io.Writer) trace { return trace{w: w, to: to, hash: 14695981039346656037} }

// step notes that something happened.
func (w *World) step(what, who string, n uint64) { w.tell(step{w.now, what, who, n, ""}) }

func (w *World) tell(s step) {
	t := &w.trace
	t.last[t.steps%keptSteps] = s
	t.steps++
	t.mixText(s.what)
	t.mixText(s.who)
	t.mixText(s.more)
	t.mix(uint64(s.at))
	t.mix(s.n)
	if t.to != nil {
		fmt.Fprintln(t.to, t.steps, s.String())
	}
}

func (s step) String() string {
	return fmt.Sprintf("%11.3fms %-10s %-8s %d %s", float64(s.at)/1e6, s.what, s.who, s.n, s.more)
}

func (t *trace) mix(n uint64) { t.hash = (t.hash ^ n) * 1099511628211 }

func (t *trace) mixText(s string) {
	for i := range len(s) {
		t.hash = (t.hash ^ uint64(s[i])) * 1099511628211
	}
	t.mix(0xff)
}

func (t *trace) mixBytes(b []byte) {
	for _, c := range b {
		t.hash = (t.hash ^ uint64(c)) * 1099511628211
	}
}

// explain is a violation, or a panic of the code under test, with the steps that led to it.
func (t *trace) explain(r any, stack []byte) error {
	var b strings.Builder
	first := max(0, t.steps-keptSteps)
	for i := first; i < t.steps; i++ {
		fmt.Fprintln(&b, i+1, t.last[i%keptSteps].String())
	}
	v, ok := r.(violation)
	if !ok {
		v = violation{"panic", fmt.Sprintf("%v\n%s", r, stack)}
	}
	return &ViolationError{Invariant: v.invariant, What: v.what, Seed: t.w.cfg.Seed, Step: t.steps, Last: b.String()}
}

// ViolationError is an invariant that did not hold.
type ViolationError struct {
	Invariant, What string
	Seed            uint64
	Step            int
	Last            string // steps, in words
}

func (v *ViolationError) Error() string {
	return fmt.Sprintf("seed %d, step %d: %s: %s", v.Seed, v.Step, v.Invariant, v.What)
}
