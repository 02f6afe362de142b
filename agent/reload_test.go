package agent

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// file is a peer's configuration as a test's files say it: what changes there is read at the next reload.
type file struct {
	first    Config // as the peer started
	change   func(*Config)
	settings []Setting
	err      error
}

// reads has a peer read its configuration from a file.
func (f *file) reads(c *Config) {
	c.Origin = Origin{Files: []string{"a.hcl"}, Settings: slices.Clone(f.settings), Reread: f.reread}
	f.first = *c
}

func (f *file) reread() (Config, error) {
	c := f.first
	c.Origin.Settings = slices.Clone(f.settings)
	if f.change != nil {
		f.change(&c)
	}
	return c, f.err
}

func (p *peer) reload() httpd.Reloaded {
	p.w.t.Helper()
	done, err := p.Reload(p.w.t.Context())
	if err != nil {
		p.w.t.Fatal(err)
	}
	return done
}

// labelled says whether a peer's row has just that zone.
func labelled(name, zone string) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		for p := range r.Peers() {
			if p.Name == name {
				return maps.Equal(p.Labels, map[string]string{"zone": zone})
			}
		}
		return false
	}
}

// TestReloadTakesOverWhatItCan: labels reach every peer's state and gossip, the log's level and the backups change, and what
// needs a restart is told again and again.
func TestReloadTakesOverWhatItCan(t *testing.T) {
	files := map[string]*file{}
	change := func(c *Config) {
		files[c.Name] = &file{settings: []Setting{
			{Name: "data_dir", Value: "d"},
			{Name: "labels", Reloads: true},
			{Name: "log_level", Value: "INFO", Reloads: true},
			{Name: "consul.address", Hidden: true},
		}}
		c.LogLevel = &slog.LevelVar{}
		files[c.Name].reads(c)
	}
	inBubbleOf(t, 3, change, func(t *testing.T, w *world) {
		one := w.leader()
		f, level := files[one.name], one.cfg.LogLevel
		f.settings[0].Value, f.settings[1].Value, f.settings[2].Value = "e", "zone=a", "DEBUG"
		f.settings[3].Value = "http://c/?token=secret"
		f.change = func(c *Config) {
			c.Labels = map[string]string{"zone": "a"}
			c.LogLevel = &slog.LevelVar{}
			c.LogLevel.Set(slog.LevelDebug)
			c.Backups = &backup.Keeper{Dir: one.dir + "/backups", Interval: time.Hour, Retain: 1}
		}
		restart := []httpd.SettingChange{
			{Setting: "data_dir", Before: "d", After: "e"}, {Setting: "consul.address", After: "(not told)"},
		}
		want := httpd.Reloaded{
			Files: []string{"a.hcl"}, Restart: restart,
			Applied: []httpd.SettingChange{{Setting: "labels", After: "zone=a"}, {Setting: "log_level", Before: "INFO", After: "DEBUG"}},
		}
		if diff := cmp.Diff(want, one.reload()); diff != "" {
			t.Errorf("first (-want +got):\n%s", diff)
		}
		want.Applied = []httpd.SettingChange{}
		if diff := cmp.Diff(want, one.reload()); diff != "" {
			t.Errorf("second (-want +got):\n%s", diff)
		}
		warned := strings.Join(lifeFace{one.Agent}.Warnings(), "; ")
		if !strings.Contains(warned, "not before a restart: data_dir, consul.address") || one.reloads.waiting() != 2 {
			t.Errorf("warnings are %q", warned)
		}
		if level.Level() != slog.LevelDebug {
			t.Errorf("the log's level is %s", level.Level())
		}
		for _, p := range w.peers {
			p.await("the label", labelled(one.name, "a"))
			w.until("the label in gossip", func() bool {
				return slices.ContainsFunc(p.gossip.Members(), func(m gossip.Member) bool { return m.Name == one.name && m.Labels["zone"] == "a" })
			})
		}
		w.until("a backup", func() bool { files, _ := os.ReadDir(one.dir + "/backups"); return len(files) == 1 })
		kept := membersFace{one.Agent}.Self().Backups
		one.reload()
		if again := (membersFace{one.Agent}).Self().Backups; kept.Kept != 1 || again.File != kept.File {
			t.Errorf("a reload that changed nothing has forgotten the backup %+v: %+v", kept, again)
		}
	})
}

// TestReloadOfABadConfigurationChangesNothing: the answer says why, and so does the log.
func TestReloadOfABadConfigurationChangesNothing(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		f := &file{settings: []Setting{{Name: "labels", Value: "zone=a", Reloads: true}}}
		one := w.add("peer-a")
		one.start(func(c *Config) {
			c.BootstrapExpect, c.Labels = 1, map[string]string{"zone": "a"}
			f.reads(c)
		})
		one.await("its row", labelled("peer-a", "a"))
		f.settings[0].Value = "zone=b"
		f.change = func(c *Config) { c.Labels = map[string]string{"zone": "b"} }
		f.err = errors.New("a.hcl:7: labels is odd")
		_, err := one.Reload(t.Context())
		if !errors.Is(err, fsm.ErrInvalid) || !strings.Contains(err.Error(), "nothing was taken over: a.hcl:7: labels is odd") {
			t.Errorf("answer: %v", err)
		}
		if said := one.said.with("level=ERROR", "a.hcl:7: labels is odd"); len(said) != 1 {
			t.Errorf("the log says %q", said)
		}
		warned := strings.Join(lifeFace{one.Agent}.Warnings(), "; ")
		if !strings.Contains(warned, "a.hcl:7: labels is odd") || one.reloads.bad.Load() != 1 || one.reloads.good.Load() != 0 {
			t.Errorf("warnings are %q after %d good and %d bad reloads", warned, one.reloads.good.Load(), one.reloads.bad.Load())
		}
		w.pass(5 * time.Second)
		one.await("the old label", labelled("peer-a", "a"))
		f.err = nil
		one.reload()
		if warned := (lifeFace{one.Agent}).Warnings(); len(warned) > 0 {
			t.Errorf("after a good reload the warnings are %q", warned)
		}
		one.await("the new label", labelled("peer-a", "b"))
	})
}

// TestReloadedJoinIsTried: a peer that knew only an address where nobody is meets its group through a new one.
func TestReloadedJoinIsTried(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w *world) {
		f, late := &file{}, w.add("peer-b")
		late.start(func(c *Config) {
			f.first.Join = c.Join
			good := c.Join
			c.Join = []string{"127.0.1.99:8652"}
			f.reads(c)
			f.change = func(c *Config) { c.Join = good }
		})
		w.pass(time.Minute)
		if late.raft.LastIndex() > 0 {
			t.Fatal("the late peer has entered before it could know of the group")
		}
		late.reload()
		late.await("both rows", rows(2))
	})
}

// TestDeclaredDiscoveriesAreAppliedOnce: peers that declare the same write it once; an operator's change holds until one of
// them reads its configuration again; one that is declared no more stays.
func TestDeclaredDiscoveriesAreAppliedOnce(t *testing.T) {
	declare := func(interval fsm.Duration) []Declared {
		spec := fsm.DefaultSpec()
		spec.Backend, spec.Interval = "list", interval
		return []Declared{{Name: "all", Spec: spec, Place: "a.hcl:3"}}
	}
	f := &file{}
	change := func(c *Config) {
		c.Declared = declare(10 * fsm.Second)
		f.reads(c)
	}
	every := func(interval fsm.Duration) func(*fsm.Reader) bool {
		return func(r *fsm.Reader) bool {
			d := r.Discovery("all")
			return d != nil && d.Spec.Interval == interval
		}
	}
	inBubbleOf(t, 3, change, func(t *testing.T, w *world) {
		one := w.leader()
		one.await("the declared discovery", every(10*fsm.Second))
		w.pass(10 * time.Second)
		if n := len(one.events(0, "discovery.applied")); n != 1 {
			t.Errorf("three peers that declare one discovery made %d events", n)
		}
		spec := declare(20 * fsm.Second)[0].Spec
		one.apply(&fsm.DiscoveryApply{Name: "all", Spec: spec, Cause: operator})
		w.pass(10 * time.Second)
		one.await("the operator's", every(20*fsm.Second))
		if done := one.reload(); done.Discoveries != 1 {
			t.Errorf("reloaded %+v", done)
		}
		one.await("the declared one again", every(10*fsm.Second))
		f.change = func(c *Config) { c.Declared = nil }
		one.reload()
		w.pass(10 * time.Second)
		one.await("what was declared", every(10*fsm.Second))
		if n := len(one.events(0, "discovery.applied")); n != 3 {
			t.Errorf("%d events of applying, want 3", n)
		}
	})
}

// TestADeclaredDiscoveryWaitsForADeletedOne: one of that name that is being deleted goes first.
func TestADeclaredDiscoveryWaitsForADeletedOne(t *testing.T) {
	spec := fsm.DefaultSpec()
	spec.Backend = "list"
	f := &file{}
	change := func(c *Config) {
		c.Declared = []Declared{{Name: "all", Spec: spec, Place: "a.hcl:3"}}
		f.reads(c)
	}
	inBubbleOf(t, 1, change, func(t *testing.T, w *world) {
		one := w.leader()
		one.await("the declared discovery", func(r *fsm.Reader) bool { return r.Discovery("all") != nil })
		first := one.machine.Read().Discovery("all").ID
		one.apply(&fsm.DiscoveryDelete{Name: "all", Cause: operator})
		one.reload()
		one.await("another of that name", func(r *fsm.Reader) bool { d := r.Discovery("all"); return d != nil && !d.Deleting && d.ID != first })
		if said := one.said.with("declared discovery is not applied yet", "is being deleted"); len(said) != 1 {
			t.Errorf("the log says %q", said)
		}
	})
}

// TestADeclaredDiscoveryThatWaitsHoldsUpNoOther: what cannot be applied yet is tried again beside the rest.
func TestADeclaredDiscoveryThatWaitsHoldsUpNoOther(t *testing.T) {
	spec := fsm.DefaultSpec()
	spec.Backend = "list"
	f := &file{}
	inBubbleOf(t, 1, f.reads, func(t *testing.T, w *world) {
		one := w.leader()
		one.apply(&fsm.DiscoveryApply{Name: "first", Spec: spec, Cause: operator})
		one.apply(&fsm.DiscoveryDelete{Name: "first", Cause: operator})
		f.change = func(c *Config) {
			c.Declared = []Declared{{Name: "first", Spec: spec, Place: "a.hcl:3"}, {Name: "second", Spec: spec, Place: "a.hcl:9"}}
		}
		one.reload()
		one.await("both", func(r *fsm.Reader) bool {
			first := r.Discovery("first")
			return r.Discovery("second") != nil && first != nil && !first.Deleting
		})
		if r := one.machine.Read(); r.Discovery("second").ID > r.Discovery("first").ID {
			t.Error("the second waited until the first was gone")
		}
	})
}

// TestADeclaredDiscoveryThatIsTooLargeIsGivenUp: what can never be applied is told once.
func TestADeclaredDiscoveryThatIsTooLargeIsGivenUp(t *testing.T) {
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Config = "list", fsm.JSON(`{"x": "`+strings.Repeat("x", fsm.MaxEntry)+`"}`)
	inBubbleOf(t, 1, func(c *Config) { c.Declared = []Declared{{Name: "big", Spec: spec, Place: "a.hcl:3"}} }, func(t *testing.T, w *world) {
		one := w.leader()
		w.until("the refusal", func() bool { return len(one.said.with("declared discovery was refused", "a.hcl:3")) == 1 })
		w.pass(time.Minute)
		if said := one.said.with("declared discovery"); len(said) != 1 {
			t.Errorf("the log says %q", said)
		}
	})
}

// A backup may take long, and a reload comes when somebody wants to change something else.
func TestReloadOfOtherSettingsLeavesBackupsAlone(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		f := &file{}
		one := w.add("peer-a")
		keeper := func(retain int) *backup.Keeper {
			return &backup.Keeper{Dir: one.dir + "/backups", Interval: time.Hour, Retain: retain}
		}
		one.start(func(c *Config) {
			c.BootstrapExpect, c.Backups = 1, keeper(1)
			f.reads(c)
		})
		one.await("its row", rows(1))
		var began, ended int
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() {
			_ = one.whileLive(ctx, theBackups, func(ctx context.Context, _ *live) error {
				began++
				<-ctx.Done()
				ended++
				return nil
			})
		}()
		synctest.Wait()
		f.change = func(c *Config) { c.Labels, c.Backups = map[string]string{"zone": "b"}, keeper(1) }
		one.reload()
		one.await("the label", labelled("peer-a", "b"))
		if began != 1 || ended != 0 {
			t.Errorf("after other labels: begun %d times, ended %d times", began, ended)
		}
		f.change = func(c *Config) { c.Backups = keeper(2) }
		one.reload()
		synctest.Wait()
		if began != 2 || ended != 1 {
			t.Errorf("after other backups: begun %d times, ended %d times", began, ended)
		}
	})
}
