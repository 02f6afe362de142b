package world

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/musterhq/muster/fsm"
)

// Config is one simulation.
type Config struct {
	Seed  uint64
	Steps int       // about; before the last of them the adversary rests, and all must come right by itself
	Trace io.Writer // every step, where it is set
}

// Result is what came of it.
type Result struct {
	Seed    uint64
	Steps   int // with those of the rest
	Hash    uint64
	Virtual time.Duration
	Counts  Counts
	Void    string // why it proves little, empty when it did enough
	Err     error  // the first violation, with the last steps
}

// restSteps is about how many steps there are in a rest.
const restSteps = 700

// began is the wall clock of a peer that is right when a world begins.
const began fsm.Time = 1_700_000_000_000

// World is one simulation under way.
type World struct {
	cfg   Config
	rng   *rand.Rand
	now   time.Duration // since the world began; the one true clock
	queue queue
	log   log
	peers []*peer
	fleet fleet
	check *checker
	foe   adversary
	trace trace
	count Counts
	paper paper

	backups  []*backup
	births   int  // epochs that were begun with one
	upgrades bool // some peers begin with the release before this one
	raised   bool // the group's feature level has been proposed

	sources []*source
	running *task // the task whose code runs now
	asked   map[fsm.Ticket]*asked
}

// Run simulates one world.
func Run(c Config) Result { return run(c, func(*World) {}) }

func run(c Config, arrange func(*World)) (res Result) {
	w := &World{
		cfg: c, rng: rand.New(rand.NewPCG(c.Seed, 0x6d7573746572)), count: Counts{}, asked: map[fsm.Ticket]*asked{},
	}
	w.trace = newTrace(w, c.Trace)
	w.check = newChecker(w)
	defer func() {
		r := recover()
		if r != nil {
			res.Err = w.trace.explain(r, debug.Stack())
		}
		w.end(r == nil)
		res.Seed, res.Steps, res.Hash, res.Virtual, res.Counts = c.Seed, w.trace.steps, w.trace.hash, w.now, w.count
		if res.Err == nil {
			res.Void = w.count.void(c.Steps)
		}
	}()
	w.begin()
	arrange(w)
	for active := max(c.Steps/2, c.Steps-restSteps); w.trace.steps < active; {
		w.queue.next(w)
	}
	w.rest()
	return res
}

// end lets go of what is under way.
func (w *World) end(orderly bool) {
	for _, p := range w.peers {
		if !orderly {
			for _, t := range p.tasks {
				t.drop()
			}
			continue
		}
		p.killTasks()
	}
}

// begin makes the group, its sources and its nodes.
func (w *World) begin() {
	w.fleet = newFleet(w)
	w.sources = newSources(w)
	w.upgrades = w.chance(2)
	for range pick(w, []int{3, 3, 3, 4, 5}) {
		w.addPeer()
	}
	w.foe = newAdversary(w)
	w.log.elect(w, w.peers[0], false)
	w.after(600*time.Millisecond, func() { w.foe.applySources() })
	w.after(time.Second, func() { w.foe.act() })
	w.follow()
}

// fail reports a violation of an invariant.
func (w *World) fail(invariant, format string, args ...any) {
	panic(violation{invariant, fmt.Sprintf(format, args...)})
}

type violation struct{ invariant, what string }

func (v violation) Error() string { return v.invariant + ": " + v.what }

// chance is true in one of so many cases.
func (w *World) chance(in int) bool { return w.rng.IntN(in) == 0 }

// between is a duration, the short ones more often.
func (w *World) between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	d := time.Duration(w.rng.Int64N(int64(most - least)))
	if w.rng.IntN(4) != 0 {
		d /= 4
	}
	return (least + d).Truncate(time.Millisecond / 8)
}

func pick[T any](w *World, of []T) T { return of[w.rng.IntN(len(of))] }
