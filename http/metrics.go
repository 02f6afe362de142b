package httpd

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reasons are those for which something is refused before a handler has it; the last ones are those of connections.
var reasons = []string{
	"rate", "host", "cross_origin", "waiting", "backups", noToken, unknownToken, expiredToken, weakToken, unprovedBootstrap,
	"conns", "conns_per_ip", "plain",
}

// metrics are the server's own. Their labels are bounded: routes by template, methods that exist, statuses.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	waiting  prometheus.Gauge
	backups  prometheus.Gauge
	open     prometheus.GaugeFunc
	conns    atomic.Int64 // what open tells
	cut      prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_http_requests_total", Help: "Requests by route, method and status code.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "muster_http_request_duration_seconds",
			Help:    "Time to answer by route, blocking and following included.",
			Buckets: []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600},
		}, []string{"route"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_http_refused_total", Help: "Requests refused before their handler, and connections, by reason: " +
				strings.Join(reasons, ", ") + ".",
		}, []string{"reason"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_http_waiting_requests", Help: "Requests that block or follow now.",
		}),
		backups: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_http_backups", Help: "Backups that are being sent, or taken to be restored, now; at most 4.",
		}),
		cut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_http_followers_cut_total", Help: "Readers of a stream cut off since they did not take a write within 30 s.",
		}),
	}
	m.open = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_http_open_connections", Help: "Connections to the API that are open now.",
	}, func() float64 { return float64(m.conns.Load()) })
	for _, reason := range reasons {
		m.refused.WithLabelValues(reason)
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.refused, m.waiting, m.backups, m.open, m.cut} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

var countedMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// knownMethod is a method as metrics and traces name it: callers may send what they like.
func knownMethod(method string) string {
	if slices.Contains(countedMethods, method) {
		return method
	}
	return "other"
}

func (m *metrics) count(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, knownMethod(method), strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// countedWriter remembers the status of an answer.
type countedWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (w *countedWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countedWriter) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
