package agent

import (
	"syscall"
	"testing"
)

// onDisks gives each peer the real stores, on a disk by its name.
func onDisks(disks map[string]*disk) func(*Config) {
	return func(c *Config) {
		if disks[c.Name] == nil {
			disks[c.Name] = &disk{}
		}
		c.Seams.Logs, c.Seams.Stable, c.Seams.Snapshots = nil, nil, nil
		c.Seams.BeforeCommit = disks[c.Name].commit
	}
}

// TestTermThatCannotBeSaved takes the disk from a follower and then the leader from all: what cannot save its new term ends
// with the disk's error, in its own way and not in a panic, and is a peer as before when the disk is well again.
func TestTermThatCannotBeSaved(t *testing.T) {
	disks := map[string]*disk{}
	inBubbleOf(t, 3, onDisks(disks), func(_ *testing.T, w *world) {
		old, p := w.leader(), w.follower()
		w.isolate(old)
		disks[p.name].change(func(d *disk) { d.fails = syscall.EIO })
		w.until("the peer without a disk to end", func() bool { return len(p.done) > 0 })
		p.ended(syscall.EIO)
		disks[p.name].change(func(d *disk) { d.fails = nil })
		w.heal()
		p.start(nil)
		p.await("all peers' rows", rows(3))
	})
}
