package space_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/space"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	mib = 1 << 20
	gib = 1 << 30
)

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		was         space.Level
		free, total uint64
		want        space.Level
	}{
		{space.Ample, 100 * gib, 1000 * gib, space.Ample},
		{space.Ample, 99 * gib, 1000 * gib, space.Low},
		{space.Ample, 512 * mib, 4 * gib, space.Ample},
		{space.Ample, 511 * mib, 4 * gib, space.Low},
		{space.Ample, 128 * mib, gib, space.Low},
		{space.Ample, 127 * mib, gib, space.Full},
		{space.Low, 639 * mib, 4 * gib, space.Low},
		{space.Low, 640 * mib, 4 * gib, space.Ample},
		{space.Low, 124 * gib, 1000 * gib, space.Low},
		{space.Low, 126 * gib, 1000 * gib, space.Ample},
		{space.Full, 159 * mib, 4 * gib, space.Full},
		{space.Full, 160 * mib, 4 * gib, space.Low},
		{space.Full, 2 * gib, 4 * gib, space.Ample},
		{space.Low, 0, 4 * gib, space.Full},
	} {
		if got := c.was.Next(space.Room{Free: c.free, Total: c.total}); got != c.want {
			t.Errorf("%s with %d MiB of %d: %s, want %s", c.was, c.free/mib, c.total/mib, got, c.want)
		}
	}
}

// lines keeps what is logged.
type lines struct {
	mu sync.Mutex
	strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(b)
}

func (l *lines) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.String(), word)
}

// TestWatch lets a disk fill up, fail to answer, and empty: each level is said once and known within a second.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		free, failing := uint64(gib), error(nil)
		set := func(f uint64, err error) {
			mu.Lock()
			free, failing = f, err
			mu.Unlock()
			<-time.After(time.Second + 1)
			synctest.Wait()
		}
		said := &lines{}
		w := space.New(space.Config{Dir: "/data", Log: slog.New(slog.NewTextHandler(said, nil)), Stat: func(dir string) (space.Room, error) {
			mu.Lock()
			defer mu.Unlock()
			return space.Room{Free: free, Total: 4 * gib}, failing
		}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		for _, c := range []struct {
			free  uint64
			err   error
			want  space.Level
			words string
		}{
			{gib, nil, space.Ample, "level="},
			{300 * mib, nil, space.Low, "level=WARN msg=\"the disk has little room left"},
			{300 * mib, errors.New("gone"), space.Low, "level=WARN msg=\"the room on the disk is not known"},
			{300 * mib, errors.New("gone"), space.Low, "level=WARN msg=\"the room on the disk is not known"},
			{50 * mib, nil, space.Full, "level=ERROR msg=\"the disk is full"},
			{49 * mib, nil, space.Full, "level=ERROR msg=\"the disk is full"},
			{2 * gib, nil, space.Ample, "level=INFO msg=\"the disk has room again"},
		} {
			set(c.free, c.err)
			if got := w.Level(); got != c.want {
				t.Errorf("%d MiB: %s, want %s", c.free/mib, got, c.want)
			}
			want := 1
			if c.words == "level=" {
				want = 0
			}
			if n := said.count(c.words); n != want {
				t.Errorf("%d MiB: %q was said %d times, want %d", c.free/mib, c.words, n, want)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestNothingToWatchIsAmple(t *testing.T) {
	var none *space.Watch
	if got := none.Level(); got != space.Ample {
		t.Error(got)
	}
}

func TestRealFileSystem(t *testing.T) {
	dir := t.TempDir()
	room, _ := space.New(space.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}).State()
	if room.Total == 0 || room.Free > room.Total {
		t.Errorf("%s says %+v", dir, room)
	}
}
