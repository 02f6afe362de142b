package discovery

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

// idleBackend is how long a backend that nobody uses is kept.
const idleBackend = 10 * time.Minute

// opened keeps the backends in use, one for each backend and config, since they hold connections and watches.
type opened struct {
	make func(fsm.Spec) (Backend, error)
	mu   sync.Mutex
	open map[backendKey]*openBackend
}

type backendKey struct {
	backend string
	config  fsm.JSON
}

type openBackend struct {
	Backend
	users int
	used  time.Time
}

// use makes or finds the backend of a spec; done is called when the caller is through with it. Those long unused go.
func (o *opened) use(spec fsm.Spec) (backend Backend, done func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := backendKey{spec.Backend, spec.Config}
	b := o.open[key]
	if b == nil {
		made, err := o.make(spec)
		if err != nil {
			return nil, nil, err
		}
		if o.open == nil {
			o.open = map[backendKey]*openBackend{}
		}
		b = &openBackend{Backend: made}
		o.open[key] = b
	}
	b.users++
	return b.Backend, func() { o.release(b) }, nil
}

func (o *opened) release(b *openBackend) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b.users--
	b.used = time.Now()
	for key, other := range o.open {
		if other.users == 0 && time.Since(other.used) > idleBackend {
			other.close(nil)
			delete(o.open, key)
		}
	}
}

// close closes all; nothing is in use any more.
func (o *opened) close(log *slog.Logger) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range o.open {
		b.close(log)
	}
	o.open = nil
}

func (b *openBackend) close(log *slog.Logger) {
	c, ok := b.Backend.(io.Closer)
	if !ok {
		return
	}
	if err := c.Close(); err != nil && log != nil {
		log.Warn("backend did not close", "error", err)
	}
}
