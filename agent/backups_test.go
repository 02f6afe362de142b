package agent

import (
	"os"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/backup"
)

// TestLeaderKeepsBackups holds that a peer which is told to keeps backups while it leads, and tells how that goes.
func TestLeaderKeepsBackups(t *testing.T) {
	change := func(c *Config) {
		c.Backups = &backup.Keeper{Dir: c.DataDir + "/backups", Interval: time.Hour, Retain: 2}
	}
	inBubbleOf(t, 3, change, func(t *testing.T, w *world) {
		leader := w.leader()
		for _, p := range w.running() {
			b := membersFace{p.Agent}.Self().Backups
			want := 0
			if p == leader {
				want = 1
				w.until("a backup", func() bool { b = membersFace{p.Agent}.Self().Backups; return b.Kept == 1 })
			}
			if b.Kept != want || b.Leads != (p == leader) || b.Dir != p.dir+"/backups" {
				t.Errorf("%s tells of its backups: %+v", p.name, b)
			}
			files, err := os.ReadDir(p.cfg.Backups.Dir)
			if len(files) != want {
				t.Errorf("%s keeps %d backups, want %d: %v", p.name, len(files), want, err)
			}
		}
		if b, err := backup.Open(leader.cfg.Backups.Status().File); err != nil || b.Group != leader.machine.Read().Meta().Group {
			t.Errorf("the backup: %+v, %v", b, err)
		}
	})
}
