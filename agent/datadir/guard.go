package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// format is raised when an earlier release could not read the files of a data directory, or would damage them.
const format = 1

// Guard says who wrote a data directory, and keeps earlier releases from one that they would not understand. Its feature level is the
// group's, not what the program understands: until the group is raised, the release before may take the directory back.
type Guard struct {
	Format  int    `json:"format"`        // of the directory's files
	Feature uint32 `json:"feature_level"` // of the group, as far as its log was applied here
	Version string `json:"version"`       // of the program that first wrote so
}

// Readable refuses a data directory that a later release has written, by its guard and by the heads of its snapshots. It only
// reads. The error wraps fsm.ErrNewer.
func Readable(path string) error {
	var g Guard
	if err := (&Dir{path: path}).Read(FileGuard, &g); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if g.Format > format || g.Feature > fsm.FeatureLevel {
		return fmt.Errorf("data directory %s (format %d, feature level %d): %w, muster %s; this one reads format %d and feature "+
			"level %d. Nothing was changed: start muster %s or later on it, since a level is never lowered",
			path, g.Format, g.Feature, fsm.ErrNewer, g.Version, format, fsm.FeatureLevel, g.Version)
	}
	in := filepath.Join(path, "snapshots")
	names, err := os.ReadDir(in)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at the snapshots: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name.Name(), halfWritten) {
			continue
		}
		state := filepath.Join(in, name.Name(), "state.bin")
		if err := headOf(state); errors.Is(err, fsm.ErrNewer) { // what else is wrong with it is told by who restores it
			return fmt.Errorf("snapshot %s: %w. Nothing was changed: start the release that wrote it, or a later one", state, err)
		}
	}
	return nil
}

func headOf(snapshot string) error {
	f, err := os.Open(snapshot)
	if err != nil {
		return err
	}
	_, err = fsm.ReadHeader(f)
	return errors.Join(err, f.Close())
}

// KeepGuard keeps the guard up with the feature level of the group, which a replica tells, until ctx ends. A crash before it did so
// is caught where the log is applied.
func (d *Dir) KeepGuard(ctx context.Context, of interface{ Read() *fsm.Reader }, version string) error {
	var kept Guard
	if d == nil {
		return nil
	}
	if err := d.Read(FileGuard, &kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for {
		r := of.Read()
		now := Guard{Format: format, Feature: r.Meta().Feature, Version: version}
		if now.Format > kept.Format || now.Feature > kept.Feature {
			if err := d.Write(FileGuard, now); err != nil {
				return err
			}
			kept = now
		}
		w := r.Applied()
		select {
		case <-ctx.Done():
			return nil
		case <-w.Changed:
		case <-w.Abandoned:
		}
	}
}
