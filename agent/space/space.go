// Package space watches how much room the file system of a directory has, since a disk that is full takes a peer's log with
// it: below 512 MiB or a tenth it is Low, below 128 MiB Full. A level is left for a better one only when a quarter more than
// its limit is free, so that a disk at the limit does not come and go.
package space

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/musterhq/muster/agent/life"
)

// Level says how much room there is. The order counts: the higher, the less.
type Level int

// The levels.
const (
	Ample Level = iota
	Low         // somebody has to act; work that can go elsewhere should
	Full        // nothing more should be stored but what keeps the group going
)

// String is the level in a word.
func (l Level) String() string { return [...]string{"ample", "low", "full"}[min(max(l, Ample), Full)] }

// Room is what a file system has, in bytes, for those who are not root.
type Room struct{ Free, Total uint64 }

// String is the room in words.
func (r Room) String() string {
	return fmt.Sprintf("%d MiB of %d MiB are free", r.Free>>20, r.Total>>20)
}

const (
	lowBytes  = 512 << 20
	lowPart   = 10 // of the total
	fullBytes = 128 << 20
	every     = time.Second
)

// Next is the level after this one when there is so much room.
func (l Level) Next(r Room) Level { return max(levelOf(r, 4), min(l, levelOf(r, 5))) }

// levelOf judges by so many quarters of the limits.
func levelOf(r Room, quarters uint64) Level {
	switch {
	case r.Free < fullBytes/4*quarters:
		return Full
	case r.Free < lowBytes/4*quarters || r.Free < r.Total/(4*lowPart)*quarters:
		return Low
	}
	return Ample
}

// Config says what is watched.
type Config struct {
	Dir  string
	Stat func(dir string) (Room, error) // nil asks the file system
	Log  *slog.Logger
}

// Watch knows the level of one directory. Its methods may be called by any number of goroutines; those of nil say Ample.
type Watch struct {
	cfg Config

	mu     sync.Mutex
	room   Room
	level  Level
	failed bool // to ask, the last time
}

// New asks for the first time.
func New(cfg Config) *Watch {
	if cfg.Stat == nil {
		cfg.Stat = stat
	}
	w := &Watch{cfg: cfg}
	w.look()
	return w
}

// Run looks again every second until ctx ends, and says when the level changes.
func (w *Watch) Run(ctx context.Context) error {
	for range life.Beats(ctx, every) {
		w.look()
	}
	return nil
}

// Level is that of the last look.
func (w *Watch) Level() Level {
	_, level := w.State()
	return level
}

// State is what the last look that succeeded found.
func (w *Watch) State() (Room, Level) {
	if w == nil {
		return Room{}, Ample
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.room, w.level
}

// look asks for the room and keeps it. Where that fails the level stays.
func (w *Watch) look() {
	room, err := w.cfg.Stat(w.cfg.Dir)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if !w.failed {
			w.cfg.Log.Warn("the room on the disk is not known", "directory", w.cfg.Dir, "error", err)
		}
		w.failed = true
		return
	}
	was := w.level
	w.failed, w.room, w.level = false, room, was.Next(room)
	attrs := []any{"directory", w.cfg.Dir, "free_mib", room.Free >> 20, "total_mib", room.Total >> 20}
	switch {
	case w.level == was:
	case w.level == Full:
		w.cfg.Log.Error("the disk is full: make room", attrs...)
	case w.level == Low:
		w.cfg.Log.Warn("the disk has little room left: make room", attrs...)
	default:
		w.cfg.Log.Info("the disk has room again", attrs...)
	}
}
