package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// Keeper keeps backups in a directory: one an interval, of which the newest stay. How long ago the last one was it reads off
// the directory, so that it makes no difference how often it is started. The fields are set before the first call.
type Keeper struct {
	Dir      string
	Interval time.Duration                                     // at least MinInterval
	Retain   int                                               // how many stay, at least 1
	Write    func(ctx context.Context, to io.Writer) error     // writes a backup
	Leads    func(ctx context.Context) (leads bool, err error) // whether it is this keeper's turn; nil is always
	Log      *slog.Logger

	mu     sync.Mutex
	status httpd.BackupStatus
}

// MinInterval is the least time between two backups.
const MinInterval = time.Second

// Validate says what of the settings is wrong.
func (k *Keeper) Validate() error {
	switch {
	case k.Dir == "":
		return errors.New("no directory to keep backups in")
	case k.Interval < MinInterval:
		return fmt.Errorf("an interval of %s between backups is shorter than %s", k.Interval, MinInterval)
	case k.Retain < 1:
		return fmt.Errorf("%d backups are not enough to keep; at least 1", k.Retain)
	}
	return nil
}

// Same says whether another keeper has the same settings.
func (k *Keeper) Same(o *Keeper) bool {
	return o != nil && k.Dir == o.Dir && k.Interval == o.Interval && k.Retain == o.Retain
}

// Status is what the keeper did last, nothing for nil; any goroutine may ask.
func (k *Keeper) Status() httpd.BackupStatus {
	if k == nil {
		return httpd.BackupStatus{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	s.Dir = k.Dir
	return s
}

// Run keeps backups until ctx ends. What fails, or was not its turn, is tried again after a tenth of the interval.
func (k *Keeper) Run(ctx context.Context) error {
	wait := k.wait()
	for {
		next := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			next.Stop()
			return nil
		case <-next.C:
		}
		s, err := k.Once(ctx)
		if wait = k.Interval; err != nil || !s.Leads {
			wait = max(k.Interval/10, MinInterval)
		}
		if err != nil && ctx.Err() == nil {
			k.Log.Error("backup failed", "dir", k.Dir, "failures", s.Failures, "error", err)
		}
	}
}

// wait is how long it is until the next backup.
func (k *Keeper) wait() time.Duration {
	files, _, err := k.files()
	if err != nil || len(files) == 0 {
		return 0
	}
	info, err := os.Stat(files[len(files)-1])
	if err != nil {
		return 0
	}
	return min(max(k.Interval-time.Since(info.ModTime()), 0), k.Interval)
}

// Once makes one backup, if it is this keeper's turn, and lets the oldest go.
func (k *Keeper) Once(ctx context.Context) (httpd.BackupStatus, error) {
	s := k.Status()
	err := k.once(ctx, &s)
	if err != nil {
		s.Failures, s.Error = s.Failures+1, err.Error()
	} else {
		s.Failures, s.Error = 0, ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = s
	return s, err
}

func (k *Keeper) once(ctx context.Context, s *httpd.BackupStatus) error {
	s.Leads = true
	if k.Leads != nil {
		leads, err := k.Leads(ctx)
		if s.Leads = leads && err == nil; !s.Leads {
			return err
		}
	}
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return fmt.Errorf("keep backups: %w", err)
	}
	now := time.Now().UTC()
	path := filepath.Join(k.Dir, prefix+now.Format("20060102T150405.000Z")+suffix)
	b, err := Save(ctx, path, func(to io.Writer) error { return k.Write(ctx, to) })
	if err != nil {
		return err
	}
	s.At, s.File, s.Index = fsm.TimeOf(now), path, b.Index
	if info, err := os.Stat(path); err == nil {
		s.Bytes = info.Size()
	}
	k.Log.Info("backup kept", "file", path, "index", b.Index, "bytes", s.Bytes)
	s.Kept, err = k.prune(path)
	return err
}

// The names of a keeper's files; between these stands the time, so that their order is that of their age.
const (
	prefix = "muster-"
	suffix = ".backup"
)

// files are the backups in the directory, the oldest first, and what a crash left of some.
func (k *Keeper) files() (whole, half []string, err error) {
	all, err := os.ReadDir(k.Dir)
	for _, f := range all {
		path := filepath.Join(k.Dir, f.Name())
		switch name := f.Name(); {
		case strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix):
			whole = append(whole, path)
		case strings.HasPrefix(name, "."+prefix) && strings.HasSuffix(name, ".tmp"):
			half = append(half, path)
		}
	}
	return whole, half, err
}

// prune lets the oldest backups go, and what a crash left half written. The one that was just made stays also where a clock
// that was ahead gave others a later name. It returns how many stay.
func (k *Keeper) prune(made string) (int, error) {
	files, half, err := k.files()
	if err != nil {
		return 0, err
	}
	over := max(len(files)-k.Retain, 0)
	old := slices.DeleteFunc(slices.Clone(files), func(path string) bool { return path == made })
	for _, path := range slices.Concat(old[:min(over, len(old))], half) {
		if err := os.Remove(path); err != nil {
			return len(files), fmt.Errorf("let an old backup go: %w", err)
		}
	}
	return len(files) - over, nil
}
