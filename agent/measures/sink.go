package measures

import (
	"fmt"
	"strings"

	gometrics "github.com/armon/go-metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// Sink takes what libraries measure; it is a gometrics.MetricSink. It may be used by any number of goroutines.
type Sink struct {
	takers map[string]func(float64) // by the key that a library uses, joined by dots
}

// New makes a sink and registers all that it tells.
func New(reg prometheus.Registerer) (*Sink, error) {
	s := &Sink{takers: map[string]func(float64){}}
	collectors := s.durations()
	collectors = append(collectors, s.counters()...)
	collectors = append(collectors, s.gauges()...)
	for _, c := range collectors {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return s, nil
}

func (s *Sink) durations() (all []prometheus.Collector) {
	for _, m := range durations {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: m.name, Help: m.help, Buckets: m.buckets})
		s.takers[m.key] = func(ms float64) { h.Observe(ms / 1000) }
		all = append(all, h)
	}
	return all
}

func (s *Sink) counters() (all []prometheus.Collector) {
	for _, m := range counters {
		if m.label == "" {
			c := prometheus.NewCounter(prometheus.CounterOpts{Name: m.name, Help: m.help})
			s.takers[m.keys[""]] = c.Add
			all = append(all, c)
			continue
		}
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.name, Help: m.help}, []string{m.label})
		for value, key := range m.keys {
			s.takers[key] = v.WithLabelValues(value).Add
		}
		all = append(all, v)
	}
	return all
}

func (s *Sink) gauges() (all []prometheus.Collector) {
	for _, m := range gauges {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: m.name, Help: m.help})
		s.takers[m.key] = func(v float64) { g.Set(v * m.unit) }
		all = append(all, g)
	}
	return all
}

func (s *Sink) take(key []string, v float32) {
	if take := s.takers[strings.Join(key, ".")]; take != nil {
		take(float64(v))
	}
}

// SetGauge and the rest are gometrics.MetricSink's.
func (s *Sink) SetGauge(key []string, v float32) { s.take(key, v) }

// SetGaugeWithLabels leaves the labels out.
func (s *Sink) SetGaugeWithLabels(key []string, v float32, _ []gometrics.Label) { s.take(key, v) }

// EmitKey takes nothing: neither library uses it.
func (s *Sink) EmitKey([]string, float32) {}

// IncrCounter takes a count.
func (s *Sink) IncrCounter(key []string, v float32) { s.take(key, v) }

// IncrCounterWithLabels leaves the labels out.
func (s *Sink) IncrCounterWithLabels(key []string, v float32, _ []gometrics.Label) { s.take(key, v) }

// AddSample takes a sample, in milliseconds where it is a duration.
func (s *Sink) AddSample(key []string, v float32) { s.take(key, v) }

// AddSampleWithLabels leaves the labels out.
func (s *Sink) AddSampleWithLabels(key []string, v float32, _ []gometrics.Label) { s.take(key, v) }
