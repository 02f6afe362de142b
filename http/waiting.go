package httpd

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

// waiting bounds requests that take long, over all clients: those that block or follow, and apart from them backups on their way.
type waiting struct {
	full    string // says that so many are under way, and what to do
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
		return nil, fsm.Errorf(CodeTooMany, w.full, cap(w.places))
	}
	w.now.Inc()
	return func() {
		w.now.Dec()
		<-w.places
	}, nil
}
