package peerport

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// What is refused before a caller could introduce itself.
const (
	refusedConns           = "conns"
	refusedConnsPerIP      = "conns_per_ip"
	refusedSilent          = "silent"
	refusedUnknownProtocol = "unknown_protocol"
	refusedHandshakes      = "handshakes" // too many at once
	refusedHandshakesPerIP = "handshakes_per_ip"
	refusedHandshake       = "handshake"      // one that failed
	refusedTLS             = "tls_unexpected" // by a port that speaks plain TCP
	refusedHopLimit        = "hop_limit"
)

type metrics struct {
	open     *prometheus.GaugeVec
	accepted *prometheus.CounterVec
	refused  *prometheus.CounterVec
	dialed   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "muster", Subsystem: "peerport", Name: name, Help: help,
		}, []string{label})
	}
	m := &metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "muster", Subsystem: "peerport", Name: "open_connections",
			Help: "Open connections by what they carry; new is not classified yet, dialed is this peer's own.",
		}, []string{"protocol"}),
		accepted: counter("accepted_connections_total", "Accepted connections by protocol.", "protocol"),
		refused:  counter("refused_total", "Connections and requests refused, by reason.", "reason"),
		dialed:   counter("dials_total", "Connections dialed to other peers, by result: ok, unknown_peer, refused, failed.", "result"),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.open, m.accepted, m.refused, m.dialed} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// dialOutcome counts one attempt to reach a peer.
func (m *metrics) dialOutcome(err error) {
	outcome := "failed"
	switch {
	case err == nil:
		outcome = "ok"
	case errors.Is(err, ErrUnknownPeer):
		outcome = "unknown_peer"
	case errors.Is(err, ErrRefused):
		outcome = "refused"
	}
	m.dialed.WithLabelValues(outcome).Inc()
}

// refusals counts what is turned away and logs it, but not each time: whoever
// is refused mostly tries again at once.
type refusals struct {
	log     *slog.Logger
	metrics *metrics
	spaced  map[string]*rate.Sometimes
}

func newRefusals(log *slog.Logger, m *metrics) *refusals {
	r := &refusals{log: log, metrics: m, spaced: map[string]*rate.Sometimes{}}
	reasons := []string{
		refusedConns, refusedConnsPerIP, refusedHandshakes, refusedHandshakesPerIP, refusedSilent, refusedUnknownProtocol, refusedHandshake,
		refusedTLS, refusedHopLimit,
	}
	for _, reason := range append(reasons, reasonNames[accepted+1:]...) {
		m.refused.WithLabelValues(reason)
		r.spaced[reason] = &rate.Sometimes{Interval: 10 * time.Second}
	}
	return r
}

func (r *refusals) add(reason string, attrs ...slog.Attr) {
	r.metrics.refused.WithLabelValues(reason).Inc()
	r.spaced[reason].Do(func() {
		args := []any{slog.String("reason", reason)}
		for _, a := range attrs {
			args = append(args, a)
		}
		r.log.Warn("refused on the peer port", args...)
	})
}
