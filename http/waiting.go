package httpd

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

// waiting bounds the requests that block or follow, over all clients.
type waiting struct {
	places  chan struct{}
	now     prometheus.Gauge
	refused prometheus.Counter
}

// enter takes a place until release is called, or refuses.
func (w *waiting) enter() (release func(), err error) {
	select {
	case w.places <- struct{}{}:
	default:
		w.refused.Inc()
		return nil, fsm.Errorf(CodeTooMany, "%d requests are waiting already; ask without index, or another peer", cap(w.places))
	}
	w.now.Inc()
	return func() {
		w.now.Dec()
		<-w.places
	}, nil
}
