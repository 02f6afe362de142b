package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// Origin is what a program made a configuration of, so that a running peer can have it made again.
type Origin struct {
	Files    []string  // that were read, in this order
	Settings []Setting // all of them, to tell which have changed
	// Reread makes the configuration again, and fails unless a peer could be started with it. Nil where nothing can be read.
	Reread func() (Config, error)
}

// Setting is one setting as its program writes it.
type Setting struct {
	Name    string
	Value   string
	Reloads bool // takes effect without a restart
	Hidden  bool // its value is told to nobody, since somebody may have put a secret into it
}

// told is a value of a setting as it may be told.
func (s *Setting) told(value string) string {
	if s.Hidden && value != "" {
		return "(not told)"
	}
	return value
}

// tellWait is how long the other peers' memory of this one may take to be changed.
const tellWait = 5 * time.Second

// Validate says what of a configuration no peer can be started with. It does not ask for what a program brings itself: log,
// registerer and gatherer.
func (c Config) Validate() error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil || c.Gatherer == nil {
		reg := prometheus.NewRegistry()
		c.Registerer, c.Gatherer = reg, reg
	}
	c.withDefaults()
	return c.validate()
}

// Reload has the configuration read again and takes over what a running peer can: all of that, or nothing after an error.
// What only a restart changes is told. Files that settings name, such as certificates, are read again whether or not a
// setting has changed, and discoveries of files are applied again.
func (a *Agent) Reload(ctx context.Context) (httpd.Reloaded, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	out := httpd.Reloaded{Applied: []httpd.SettingChange{}, Restart: []httpd.SettingChange{}}
	if a.cfg.Origin.Reread == nil {
		return out, nil
	}
	next, err := a.cfg.Origin.Reread()
	if err == nil {
		err = a.takeOver(ctx, &next)
	}
	if err != nil {
		a.reloads.failed(err)
		a.log.Error("configuration was not taken over", "error", err)
		return out, fsm.Errorf(fsm.CodeInvalid, "nothing was taken over: %s", err)
	}
	a.compare(&out, &next.Origin)
	for _, c := range out.Applied {
		a.log.Info("setting changed", "setting", c.Setting, "before", c.Before, "after", c.After)
	}
	for _, c := range out.Restart {
		a.log.Warn("setting needs a restart", "setting", c.Setting, "before", c.Before, "after", c.After)
	}
	a.reloads.done(out.Restart)
	out.Files, out.Discoveries = next.Origin.Files, len(next.Declared)
	a.log.Info("configuration read again", "files", len(out.Files), "changed", len(out.Applied), "restart", len(out.Restart))
	return out, nil
}

// takeOver changes what can be changed, once it is known that all of it can be: what may fail comes before what has an effect.
func (a *Agent) takeOver(ctx context.Context, next *Config) error {
	takeCertificates, err := a.prepareCertificates()
	if err != nil {
		return err
	}
	takeTrace, err := a.prepareTrace(next.Trace)
	if err != nil {
		return err
	}
	was, now := a.live.Load(), next.live()
	if b := now.backups; b != nil && b.Same(was.backups) {
		now.backups, now.otherBackups = was.backups, was.otherBackups
	}
	if !maps.Equal(was.labels, now.labels) {
		ctx, cancel := context.WithTimeout(ctx, tellWait)
		defer cancel()
		if err := a.gossip.Update(ctx, func(m *gossip.Member) { m.Labels = now.labels }); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	takeCertificates()
	takeTrace()
	if a.cfg.LogLevel != nil && next.LogLevel != nil {
		a.cfg.LogLevel.Set(next.LogLevel.Level())
	}
	a.replace(now)
	return nil
}

// compare tells which settings differ from those the peer runs with, and remembers those that were taken over.
func (a *Agent) compare(out *httpd.Reloaded, next *Origin) {
	after := map[string]string{}
	for _, s := range next.Settings {
		after[s.Name] = s.Value
	}
	for i := range a.cfg.Origin.Settings {
		s := &a.cfg.Origin.Settings[i]
		value, known := after[s.Name]
		if !known || value == s.Value {
			continue
		}
		change := httpd.SettingChange{Setting: s.Name, Before: s.told(s.Value), After: s.told(value)}
		if !s.Reloads {
			out.Restart = append(out.Restart, change)
			continue
		}
		out.Applied = append(out.Applied, change)
		s.Value = value
	}
}
