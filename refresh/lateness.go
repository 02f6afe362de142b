package refresh

import "github.com/prometheus/client_golang/prometheus"

// NewLateness registers the histogram of how late refreshes are granted, which a leader's Scheduler tells as Late.
func NewLateness(reg prometheus.Registerer) (prometheus.Histogram, error) {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "muster_refresh_late_seconds", Help: "How long after it was due each refresh was granted; the leader's.",
		Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30},
	})
	return h, reg.Register(h)
}
