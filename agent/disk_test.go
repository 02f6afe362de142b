package agent

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// disk is what lies between a peer's stores and what they have on disk. The stores are the real ones, on files: what the
// disk refuses never gets there, so that after a crash there is exactly what had been synced, and of the write that was
// under way all or nothing.
type disk struct {
	mu     sync.Mutex
	rand   *rand.Rand
	fails  error // of every write from now on
	slow   time.Duration
	slowly time.Duration // to make a snapshot
	hangs  chan struct{} // while not nil writes wait for its end
	dead   bool          // the machine is lost
	struck int           // writes that were failed or hung
	since  time.Time     // the first of them since it last failed or hung
	torn   int           // writes that a crash caught under way
	undone int           // snapshots that a crash left half written
}

var errDead = errors.New("the machine is lost")

// commit is boltstore.Config.BeforeCommit.
func (d *disk) commit() error {
	d.mu.Lock()
	dead, fails, hangs, slow := d.dead, d.fails, d.hangs, d.slow
	usual := time.Millisecond
	if d.rand != nil && d.rand.IntN(4) == 0 {
		usual = 20 * time.Millisecond
	}
	if fails != nil || hangs != nil {
		d.struck++
		if d.since.IsZero() {
			d.since = time.Now()
		}
	}
	d.mu.Unlock()
	switch {
	case dead:
		return errDead
	case fails != nil:
		return fails
	case hangs != nil:
		<-hangs
	}
	<-time.After(max(slow, usual))
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dead {
		return nil
	}
	if d.torn++; d.rand.IntN(2) == 0 {
		return nil // it is on disk though nobody will hear of it
	}
	return errDead
}

// change sets what the disk does.
func (d *disk) change(to func(*disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	to(d)
}

// hang has writes hang until release.
func (d *disk) hang() {
	d.change(func(d *disk) { d.hangs, d.since = make(chan struct{}), time.Time{} })
}

func (d *disk) release() {
	d.change(func(d *disk) {
		if d.hangs != nil {
			close(d.hangs)
			d.hangs = nil
		}
	})
}

// hanging says whether writes hang. To start then would leave a file open that nobody can close, as a process can.
func (d *disk) hanging() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hangs != nil
}

// count reads one of the disk's counters.
func (d *disk) count(of func(*disk) int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return of(d)
}

// failing is why nothing may be written now, nil when it may.
func (d *disk) failing() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return errDead
	}
	return d.fails
}

// shelf is a peer's snapshot store on its disk.
type shelf struct {
	raft.SnapshotStore
	disk *disk
}

// Create is raft.SnapshotStore's.
//
//nolint:revive // so are its arguments
func (s *shelf) Create(
	v raft.SnapshotVersion, index, term uint64, conf raft.Configuration, confIndex uint64, t raft.Transport,
) (raft.SnapshotSink, error) {
	s.disk.mu.Lock()
	slowly := s.disk.slowly
	s.disk.mu.Unlock()
	<-time.After(max(slowly, time.Millisecond))
	if err := s.disk.failing(); err != nil {
		return nil, err
	}
	inner, err := s.SnapshotStore.Create(v, index, term, conf, confIndex, t)
	if err != nil {
		return nil, err
	}
	return &sink{inner, s.disk}, nil
}

type sink struct {
	raft.SnapshotSink
	disk *disk
}

// Own is that of a sink of package snapshots.
func (s *sink) Own() {
	if wants, ok := s.SnapshotSink.(interface{ Own() }); ok {
		wants.Own()
	}
}

// Write is io.Writer's.
func (s *sink) Write(b []byte) (int, error) {
	if err := s.disk.failing(); err != nil {
		return 0, err
	}
	return s.SnapshotSink.Write(b)
}

// Close is raft.SnapshotSink's. On a machine that is lost the snapshot stays as far as it came.
func (s *sink) Close() error {
	err := s.disk.failing()
	switch {
	case errors.Is(err, errDead):
		s.disk.change(func(d *disk) { d.undone++ })
		return err
	case err != nil:
		return errors.Join(err, s.SnapshotSink.Cancel())
	}
	return s.SnapshotSink.Close()
}

// Cancel is raft.SnapshotSink's.
func (s *sink) Cancel() error {
	if errors.Is(s.disk.failing(), errDead) {
		s.disk.change(func(d *disk) { d.undone++ })
		return errDead
	}
	return s.SnapshotSink.Cancel()
}
