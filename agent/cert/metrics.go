package cert

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	ends    *prometheus.GaugeVec
	reloads *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		ends: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "muster", Subsystem: "cert", Name: "not_after_timestamp_seconds",
			Help: "When it ends: this peer's certificate, and of the authorities it trusts the one that ends first.",
		}, []string{"certificate"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "muster", Subsystem: "cert", Name: "reloads_total",
			Help: "Certificate files read that had changed or could not be used, by result: ok or failed.",
		}, []string{"result"}),
	}
	for _, result := range []string{"ok", "failed"} {
		m.reloads.WithLabelValues(result)
	}
	for _, c := range []prometheus.Collector{m.ends, m.reloads} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) hold(h *held) {
	set := func(which string, c *x509.Certificate) {
		m.ends.WithLabelValues(which).Set(float64(c.NotAfter.Unix()))
	}
	set("peer", h.leaf)
	set("authority", slices.MinFunc(h.roots, byEnd))
}
