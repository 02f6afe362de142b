package cert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	lookEach  = time.Minute         // at the files
	warnEach  = 24 * time.Hour      // that a certificate is about to end
	warnAhead = 14 * 24 * time.Hour // of its end
)

// Config says which certificates, and of which group.
type Config struct {
	Files Files
	Group string           // its name
	Now   func() time.Time // nil is the wall clock

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Certificates are a peer's certificate and whom it trusts, as the files have them now. Its methods may be used by any number
// of goroutines.
type Certificates struct {
	cfg     Config
	metrics *metrics

	reading sync.Mutex // one at a time
	failed  string     // what was last wrong, as the log has it

	mu   sync.RWMutex
	held *held
}

// Open reads the files for the first time and judges what they hold. It starts nothing.
func Open(cfg Config) (*Certificates, error) {
	if cfg.Log == nil || cfg.Registerer == nil {
		return nil, errors.New("tls: log and registerer are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := CheckGroup(cfg.Group); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	r, err := cfg.Files.read()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	h, err := cfg.judge(r)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c := &Certificates{cfg: cfg, metrics: m, held: h}
	m.hold(h)
	return c, nil
}

// Reload reads the files at once. What is wrong with them is the error; the last good certificate then stays in force.
func (c *Certificates) Reload() error {
	c.reading.Lock()
	defer c.reading.Unlock()
	r, err := c.cfg.Files.read()
	if err == nil && r.equal(c.now().raw) {
		c.mend()
		return nil
	}
	var h *held
	if err == nil {
		h, err = c.cfg.judge(r)
	}
	if err != nil {
		c.metrics.reloads.WithLabelValues("failed").Inc()
		if err.Error() != c.failed {
			c.failed = err.Error()
			c.cfg.Log.Error("certificate cannot be used; the last good one stays in force", "error", err)
		}
		return fmt.Errorf("tls: %w", err)
	}
	c.mu.Lock()
	c.held = h
	c.mu.Unlock()
	c.failed = ""
	c.metrics.hold(h)
	c.metrics.reloads.WithLabelValues("ok").Inc()
	c.cfg.Log.Info("certificate replaced", "ends", h.leaf.NotAfter, "issuer", h.leaf.Issuer.CommonName, "authorities", len(h.roots))
	return nil
}

// mend tells that the files are again what is in force.
func (c *Certificates) mend() {
	if c.failed != "" {
		c.failed = ""
		c.cfg.Log.Info("certificate files are good again")
	}
}

// Run looks at the files once a minute, and warns once a day of what is about to end, until ctx ends.
func (c *Certificates) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	var warned time.Time
	for {
		if now := c.cfg.Now(); now.Sub(warned) >= warnEach && c.warn(now) {
			warned = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		_ = c.Reload() // it has told what is wrong
	}
}

// warn reports whether something is about to end.
func (c *Certificates) warn(now time.Time) bool {
	h, soon := c.now(), now.Add(warnAhead)
	found := false
	if h.leaf.NotAfter.Before(soon) {
		found = true
		c.cfg.Log.Warn("this peer's certificate is about to end; replace it: muster tls cert create -peer",
			"file", c.cfg.Files.Cert, "ends", h.leaf.NotAfter)
	}
	for _, a := range h.roots {
		if a.NotAfter.Before(soon) {
			found = true
			c.cfg.Log.Warn("an authority is about to end, and with it every certificate it signed",
				"file", c.cfg.Files.CA, "authority", a.Subject.CommonName, "ends", a.NotAfter)
		}
	}
	return found
}

func (c *Certificates) now() *held {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.held
}
