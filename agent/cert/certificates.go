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
	h, err := cfg.load()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c := &Certificates{cfg: cfg, metrics: m, held: h}
	m.hold(h)
	return c, nil
}

// Check says what Open would say of the files. It leaves log and metrics alone.
func Check(cfg Config) error {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	_, err := cfg.load()
	return err
}

// load reads and judges the files.
func (c *Config) load() (*held, error) {
	if err := CheckGroup(c.Group); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	r, err := c.Files.read()
	if err != nil {
		return nil, err
	}
	return c.judge(r)
}

// Reload reads the files at once. What is wrong with them is the error; the last good certificate then stays in force.
func (c *Certificates) Reload() error {
	take, err := c.Prepare()
	if err == nil {
		take()
	}
	return err
}

// Prepare reads the files at once, and changes nothing: take then puts in force what they held, unless something newer is by
// then. What is wrong with them is the error.
func (c *Certificates) Prepare() (take func(), err error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	was := c.now()
	r, err := c.cfg.Files.read()
	if err == nil && r.equal(was.raw) {
		return c.mend, nil
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
		return nil, err
	}
	return func() { c.replace(was, h) }, nil
}

// replace puts what the files held in force, in the place of what was when they were read.
func (c *Certificates) replace(was, h *held) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.now() != was {
		return
	}
	c.mu.Lock()
	c.held = h
	c.mu.Unlock()
	c.failed = ""
	c.metrics.hold(h)
	c.metrics.reloads.WithLabelValues("ok").Inc()
	c.cfg.Log.Info("certificate replaced", "ends", h.leaf.NotAfter, "issuer", h.leaf.Issuer.CommonName, "authorities", len(h.roots))
}

// mend tells that the files are again what is in force.
func (c *Certificates) mend() {
	c.reading.Lock()
	defer c.reading.Unlock()
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
