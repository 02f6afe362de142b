package poll

import "github.com/prometheus/client_golang/prometheus"

// metrics is one collector, so that it registers and unregisters as a whole.
type metrics struct {
	idle    prometheus.GaugeFunc
	unkept  prometheus.CounterFunc
	dialed  prometheus.Counter
	retried prometheus.Counter
	denied  prometheus.Counter
}

func newMetrics(p *idle) *metrics {
	return &metrics{
		idle: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "muster_poll_idle_connections",
			Help: "Connections kept for their next poll.",
		}, func() float64 { n, _ := p.counts(); return float64(n) }),
		unkept: prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "muster_poll_unkept_connections_total",
			Help: "Connections closed to make room for others; steadily growing, the limit is too low for the fleet.",
		}, func() float64 { _, n := p.counts(); return float64(n) }),
		dialed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_poll_dials_total",
			Help: "Connections asked for, those that failed too.",
		}),
		retried: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_poll_retries_total",
			Help: "Requests sent again because the kept connection had been closed by the other side.",
		}),
		denied: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_poll_denied_dials_total",
			Help: "Connections that the dial rules refused; each is a failed poll with the reason address_forbidden.",
		}),
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range []prometheus.Collector{m.idle, m.unkept, m.dialed, m.retried, m.denied} {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{m.idle, m.unkept, m.dialed, m.retried, m.denied} {
		c.Collect(ch)
	}
}
