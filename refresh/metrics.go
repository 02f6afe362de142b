package refresh

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

// workerMetrics counts a worker's polls and rounds.
type workerMetrics struct {
	polls     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	rounds    prometheus.Histogram
	unchanged prometheus.Counter
	abandoned prometheus.Counter
	events    prometheus.Counter
	conns     *prometheus.GaugeVec
}

func newWorkerMetrics(reg prometheus.Registerer, open func() float64) (workerMetrics, error) {
	m := workerMetrics{
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_refresh_polls_total", Help: "Polls by prober and result: ok, or the reason code. A prober that asks " +
				"one place for all nodes of a cluster counts each node it told of, and as failed each time that place did not answer.",
		}, []string{"prober", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "muster_refresh_poll_duration_seconds", Help: "Time of a poll by prober, its wait for a place aside.",
			Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10},
		}, []string{"prober"}),
		rounds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "muster_refresh_round_duration_seconds", Help: "From the first poll of a cluster to its accepted completion.",
			Buckets: []float64{0.005, 0.025, 0.1, 0.5, 1, 3, 10, 30},
		}),
		unchanged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_refresh_unchanged_total", Help: "Rounds that changed nothing.",
		}),
		abandoned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_refresh_abandoned_total", Help: "Claims given back since the cluster kept moving.",
		}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_refresh_events_total", Help: "Events of accepted completions.",
		}),
		conns: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "muster_refresh_connections", Help: "Open connections of probers with a protocol of their own, kept ones included.",
		}, []string{"prober"}),
	}
	under := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_refresh_polls_in_flight", Help: "Polls under way, and those that wait for a place among them.",
	}, open)
	for _, c := range []prometheus.Collector{m.polls, m.seconds, m.rounds, m.unchanged, m.abandoned, m.events, m.conns, under} {
		if err := reg.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}

// opened counts a connection of a kind of prober.
func (m *workerMetrics) opened(prober string) (closed func()) {
	g := m.conns.WithLabelValues(prober)
	g.Inc()
	return g.Dec
}

// count counts one poll; one that was answered without a report went well. Reasons are codes of a short list, so the labels
// are bounded.
func (m *workerMetrics) count(prober string, report *fsm.Report) {
	result := "ok"
	if report != nil && !report.Reachable {
		result = report.Reason
	}
	m.polls.WithLabelValues(prober, result).Inc()
}

// failedThird is the result of a place that was asked for a whole cluster and told of none of its nodes.
const failedThird = "failed"

// countThird counts what one place told of the nodes of a cluster.
func (m *workerMetrics) countThird(prober string, reports []fsm.Report, err error) {
	if err != nil {
		m.polls.WithLabelValues(prober, failedThird).Inc()
		return
	}
	for i := range reports {
		m.count(prober, &reports[i])
	}
}

// took tells how long a poll was under way.
func (m *workerMetrics) took(prober string, d time.Duration) {
	m.seconds.WithLabelValues(prober).Observe(d.Seconds())
}
