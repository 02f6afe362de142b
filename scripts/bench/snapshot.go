package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/scripts/rig"
)

const (
	settling     = 75 * time.Second      // by then the events of the first discovery are trimmed, which is done once a minute
	writeEvery   = 50 * time.Millisecond // so a snapshot is due soon, and is met by some
	snapshotWait = 4 * time.Minute
)

// snapshot writes through the leader until it has taken a snapshot of a state that has settled, and tells apart how long
// the writes took while it did: what Apply waits for, they wait for. It returns the snapshot's size.
func (s *restart) snapshot(ctx context.Context, g *group, out *result) (size int64, err error) {
	step("settling, then writing until the leader has taken a snapshot")
	if !wait(ctx, settling) {
		return 0, context.Cause(ctx)
	}
	leader, err := g.Leader(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, snapshotWait)
	defer cancel()
	if err := until(ctx, "the end of an earlier snapshot", func() (bool, error) { return !writing(leader), nil }); err != nil {
		return 0, err
	}
	var quiet, meanwhile []float64
	var began, ended time.Time
	refused := errors.New("none was begun")
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for n := 0; ended.IsZero(); n++ {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("waited for a snapshot of %s: %w", leader.Name, refused)
		case <-tick.C:
		}
		before := writing(leader)
		took, err := changeSettings(ctx, leader, n)
		if err != nil {
			refused = err // such as a change of leader; no sample
			continue
		}
		after := writing(leader)
		if before || after {
			meanwhile = append(meanwhile, took)
		} else {
			quiet = append(quiet, took)
		}
		if after && began.IsZero() {
			began = time.Now()
		}
		if !after && !began.IsZero() {
			ended = time.Now()
		}
	}
	const name, note = "a write through the leader", "settings changed through its API, until committed and applied"
	out.spread(figure{Name: name, Case: "no snapshot", Unit: "ms", Note: note}, quiet)
	out.spread(figure{Name: name, Case: "snapshot", Unit: "ms", Note: note}, meanwhile)
	if size, err = newest(leader); err != nil {
		return 0, err
	}
	out.add(
		figure{Name: "writing a snapshot", Case: "snapshot", Value: ended.Sub(began).Seconds(), Unit: "s"},
		figure{Name: "size of a snapshot", Case: "snapshot", Value: mib(float64(size)), Unit: "MiB"},
	)
	return size, nil
}

// changeSettings changes a setting through a peer and says how long that took, in milliseconds.
func changeSettings(ctx context.Context, p *rig.Peer, n int) (float64, error) {
	settings := fsm.DefaultSettings()
	settings.Retention.Audit += n % 2
	began := time.Now()
	_, err := p.API.PutSettings(ctx, settings, nil)
	return 1e3 * time.Since(began).Seconds(), err
}

// writing says whether a peer is writing a snapshot, which raft does in a folder of that name.
func writing(p *rig.Peer) bool {
	found, err := filepath.Glob(filepath.Join(p.Data, "snapshots", "*.tmp"))
	return err == nil && len(found) > 0
}

// newest is the size of a peer's newest snapshot.
func newest(p *rig.Peer) (size int64, err error) {
	found, err := filepath.Glob(filepath.Join(p.Data, "snapshots", "*", "state.bin"))
	if err != nil {
		return 0, err
	}
	var last time.Time
	for _, path := range found {
		if stat, err := os.Stat(path); err == nil && stat.ModTime().After(last) {
			last, size = stat.ModTime(), stat.Size()
		}
	}
	if size == 0 {
		return 0, fmt.Errorf("%s has no snapshot", p.Name)
	}
	return size, nil
}
