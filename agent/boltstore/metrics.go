package boltstore

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is one collector, so that it registers and unregisters as a whole. All
// values are kept here: a scrape never waits for the disk.
type metrics struct {
	entries      prometheus.Gauge
	fileBytes    prometheus.Gauge
	freePages    prometheus.Gauge
	latched      prometheus.GaugeFunc
	writtenBytes prometheus.Counter
	writeSeconds prometheus.Histogram

	// Set once registered with it: only then are they this store's to take off.
	registerer prometheus.Registerer
}

func newMetrics(l *latch) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "muster_boltstore_" + name, Help: help})
	}
	return &metrics{
		entries:   gauge("entries", "Raft log entries in the file."),
		fileBytes: gauge("file_size_bytes", "Size of the log store's file, which never shrinks."),
		freePages: gauge("free_pages", "Pages of the file that hold nothing and will be reused."),
		latched: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "muster_boltstore_latched",
			Help: "1 once an error made the store refuse all further writes.",
		}, func() float64 {
			if l.err() != nil {
				return 1
			}
			return 0
		}),
		writtenBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_boltstore_written_bytes_total",
			Help: "Bytes of the keys and values written, without the pages around them.",
		}),
		writeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "muster_boltstore_write_duration_seconds",
			Help:    "Time one write took, sync included, failed ones too.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.entries, m.fileBytes, m.freePages, m.latched, m.writtenBytes, m.writeSeconds}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := r.Register(m); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	m.registerer = r
	return nil
}

func (m *metrics) unregister() {
	if m.registerer != nil {
		m.registerer.Unregister(m)
	}
}
