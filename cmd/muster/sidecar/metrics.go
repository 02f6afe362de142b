package sidecar

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

// metrics are the sidecar's own. Their labels are bounded: routes and statuses that there are, states, and reason codes.
type metrics struct {
	requests *prometheus.CounterVec
	probes   *prometheus.CounterVec
	seconds  prometheus.Histogram
	up       prometheus.Gauge
	refused  prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_sidecar_requests_total", Help: "Requests by route and status code.",
		}, []string{"route", "code"}),
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_sidecar_probes_total", Help: "Probes of the store by the state it is in, or why it could not be asked.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "muster_sidecar_probe_duration_seconds", Help: "Time to ask the store.",
			Buckets: []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2, 5, 30},
		}),
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_sidecar_store_up", Help: "1 while the store says that it is up.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_sidecar_refused_connections_total", Help: "Connections closed at once since there were too many.",
		}),
	}
}

func (m *metrics) register(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.requests, m.probes, m.seconds, m.up, m.refused} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// results are the labels of probes; what is none of them is other.
var results = map[string]bool{
	fsm.StateUp: true, fsm.StateDown: true, fsm.StateJoining: true, fsm.StateLeaving: true, fsm.StateUnknown: true,
	fsm.ReasonRefused: true, fsm.ReasonTimeout: true, fsm.ReasonUnreachable: true, fsm.ReasonReset: true, fsm.ReasonDNS: true,
	fsm.ReasonTLS: true, fsm.ReasonHTTPStatus: true, fsm.ReasonDecode: true, fsm.ReasonTooLarge: true, fsm.ReasonRedirect: true,
	fsm.ReasonForbidden: true, fsm.ReasonAuth: true, fsm.ReasonProtocol: true,
}

func (m *metrics) probed(a *answer, took time.Duration) {
	result := a.state
	if a.fault != "" {
		result = a.fault
	}
	if !results[result] {
		result = "other"
	}
	m.probes.WithLabelValues(result).Inc()
	m.seconds.Observe(took.Seconds())
	m.up.Set(0)
	if a.state == fsm.StateUp {
		m.up.Set(1)
	}
}
