package sidecar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 15 * time.Minute // peers use a connection again for ten
	stopTimeout   = 4 * time.Second
	maxHeader     = 16 << 10 // bytes
)

// Sidecar answers for one store.
type Sidecar struct {
	Config
	asker   *asker
	metrics *metrics
	tls     *tls.Config // nil without TLS
	tokens  tokens
	scrape  http.Handler
}

// New makes a Sidecar. It registers its metrics, reads its certificate and tokens to see that they are good, and starts nothing.
func New(c Config) (*Sidecar, error) {
	if err := c.normalise(); err != nil {
		return nil, err
	}
	s := &Sidecar{Config: c, tokens: tokens{c.TokenFile}, metrics: newMetrics()}
	if _, err := s.tokens.read(); c.TokenFile != "" && err != nil {
		return nil, fmt.Errorf("-token-file: %w", err)
	}
	if c.Certificate != "" {
		certificates := &certificates{files: [3]string{c.Certificate, c.Key, c.ClientCA}, log: c.Log}
		if _, err := certificates.load(); err != nil {
			return nil, err
		}
		s.tls = certificates.server()
	}
	if err := s.metrics.register(c.Registerer); err != nil {
		return nil, fmt.Errorf("register metrics of sidecar: %w", err)
	}
	s.scrape = promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: headerTimeout})
	s.asker = newAsker(s)
	return s, nil
}

// Run asks and answers until ctx ends.
func (s *Sidecar) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout, // of the handshake, too
		WriteTimeout:      s.Timeout + headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	var ln net.Listener = &gate{Listener: s.Listener, refused: s.metrics.refused}
	if s.tls != nil {
		ln = tls.NewListener(ln, s.tls)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		s.asker.run(gctx)
		return nil
	})
	group.Go(func() error {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-gctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			s.Log.Warn("requests cut off", "error", err)
			return server.Close()
		}
		return nil
	})
	return group.Wait()
}
