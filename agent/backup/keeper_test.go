package backup_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/backup"
)

// keeper keeps backups of a state in a directory, each hour, three of them.
func keeper(t *testing.T) *backup.Keeper {
	raw := written(t, state(t))
	return &backup.Keeper{
		Dir: filepath.Join(t.TempDir(), "backups"), Interval: time.Hour, Retain: 3, Log: slog.New(slog.DiscardHandler),
		Write: func(_ context.Context, to io.Writer) error { _, err := to.Write(raw); return err },
	}
}

func kept(t *testing.T, k *backup.Keeper) (names []string) {
	t.Helper()
	all, err := os.ReadDir(k.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

// alive runs a keeper for a while of virtual time.
func alive(t *testing.T, k *backup.Keeper, span time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	if err := k.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestKeeperKeepsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper(t)
		if err := os.MkdirAll(k.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"notes.txt", ".muster-20260101T000000.000Z.backup-1.tmp"} {
			if err := os.WriteFile(filepath.Join(k.Dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now().UTC()
		alive(t, k, 4*time.Hour+time.Minute)
		var want []string
		for _, hours := range []int{2, 3, 4} {
			want = append(want, began.Add(time.Duration(hours)*time.Hour).Format("muster-20060102T150405.000Z.backup"))
		}
		if got := kept(t, k); len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != "notes.txt" {
			t.Errorf("kept %q, want %q and what is not the keeper's", got, want)
		}
		s := k.Status()
		if s.Kept != 3 || s.Index != 13 || s.Bytes == 0 || s.Failures != 0 || s.At.Std() != began.Add(4*time.Hour) || !s.Leads {
			t.Errorf("status %+v", s)
		}
	})
}

// TestKeeperKeepsWhatItMade gives the files of a clock that was ahead later names than those of new backups: these stay all
// the same, and the others go.
func TestKeeperKeepsWhatItMade(t *testing.T) {
	k := keeper(t)
	k.Retain = 2
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"muster-21260101T000000.000Z.backup", "muster-21260102T000000.000Z.backup"} {
		if err := os.WriteFile(filepath.Join(k.Dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		s, err := k.Once(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := kept(t, k); len(got) != 2 || filepath.Join(k.Dir, got[0]) != s.File || s.Kept != 2 {
			t.Errorf("kept %q after %s was made, status %+v", got, s.File, s)
		}
	}
}

// TestKeeperGoesOnWhereItWas holds that starting a keeper anew makes no backup before its time. The times of files are real,
// so that this is no virtual time: the last one is as old as it is said to be.
func TestKeeperGoesOnWhereItWas(t *testing.T) {
	k := keeper(t)
	if _, err := k.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ age, want time.Duration }{
		{0, time.Hour}, {40 * time.Minute, 20 * time.Minute}, {2 * time.Hour, 0}, {-2 * time.Hour, time.Hour},
	} {
		at := time.Now().Add(-c.age)
		if err := os.Chtimes(k.Status().File, at, at); err != nil {
			t.Fatal(err)
		}
		if got := k.Wait(); got > c.want || got < c.want-time.Minute {
			t.Errorf("after %s it waits %s, want %s", c.age, got, c.want)
		}
	}
}

func TestKeeperTriesAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper(t)
		write, down := k.Write, errors.New("down")
		tries := 0
		k.Write = func(ctx context.Context, to io.Writer) error {
			if tries++; tries <= 3 {
				return down
			}
			return write(ctx, to)
		}
		alive(t, k, 13*time.Minute) // tries at 0, 6 and 12
		if s := k.Status(); s.Failures != 3 || s.Error == "" || len(kept(t, k)) != 0 {
			t.Errorf("status %+v, files %q", s, kept(t, k))
		}
		if _, err := k.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := k.Status(); s.Failures != 0 || s.Error != "" || len(kept(t, k)) != 1 {
			t.Errorf("status %+v, files %q", s, kept(t, k))
		}
	})
}

func TestKeeperWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, began := keeper(t), time.Now()
		k.Leads = func(context.Context) (bool, error) { return time.Since(began) > 3*time.Hour, nil }
		alive(t, k, 3*time.Hour)
		if len(kept(t, k)) != 0 || k.Status().Leads {
			t.Errorf("kept %q out of its turn, status %+v", kept(t, k), k.Status())
		}
		began = time.Now().Add(-150 * time.Minute) // in half an hour it is its turn, and is seen to be in a tenth of the interval
		alive(t, k, 37*time.Minute)
		if len(kept(t, k)) != 1 || !k.Status().Leads {
			t.Errorf("kept %q in its turn, status %+v", kept(t, k), k.Status())
		}
		info, err := os.Stat(k.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("the directory it made has mode %v", info.Mode())
		}
		asked := errors.New("nobody answers")
		k.Leads = func(context.Context) (bool, error) { return true, asked }
		if _, err := k.Once(t.Context()); !errors.Is(err, asked) || len(kept(t, k)) != 1 || k.Status().Failures != 1 {
			t.Errorf("kept %q while nobody says whose turn it is, status %+v, %v", kept(t, k), k.Status(), err)
		}
	})
}

// TestKeeperStartedAnewKeepsItsTime starts a keeper again before and after its time. The times of files are real, so they are
// set to the virtual ones.
func TestKeeperStartedAnewKeepsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper(t)
		for _, back := range []time.Duration{10 * time.Hour, 0} {
			if _, err := k.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			at := time.Now().Add(-back)
			if err := os.Chtimes(k.Status().File, at, at); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		for i, want := range []int{2, 3} {
			alive(t, k, 40*time.Minute)
			if got := kept(t, k); len(got) != want {
				t.Errorf("after %d times 40 minutes it kept %q, want %d", i+1, got, want)
			}
		}
	})
}

func TestKeeperRefusesSettings(t *testing.T) {
	for name, change := range map[string]func(*backup.Keeper){
		"no directory": func(k *backup.Keeper) { k.Dir = "" }, "interval": func(k *backup.Keeper) { k.Interval = time.Millisecond },
		"retain": func(k *backup.Keeper) { k.Retain = 0 },
	} {
		k := keeper(t)
		if err := k.Validate(); err != nil {
			t.Fatal(err)
		}
		change(k)
		if err := k.Validate(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
