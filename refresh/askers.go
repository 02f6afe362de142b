package refresh

import (
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

// askers keeps the probers in use, one for each kind and config, since they hold connections. One that was not used for
// forgetAfter is closed.
type askers struct {
	probers Probers
	mu      sync.Mutex
	open    map[askerKey]*openAsker
}

type askerKey struct {
	kind    string
	config  fsm.JSON
	connect time.Duration
}

type openAsker struct {
	asker Asker
	users int
	used  time.Time
}

// use makes or finds a prober; done is called when the caller is through with it.
func (a *askers) use(kind string, config fsm.JSON, connect time.Duration) (asker Asker, done func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := askerKey{kind, config, connect}
	o := a.open[key]
	if o == nil {
		made, err := a.probers.Make(kind, config, connect)
		if err != nil {
			return nil, nil, err
		}
		o = &openAsker{asker: made}
		if a.open == nil {
			a.open = map[askerKey]*openAsker{}
		}
		a.open[key] = o
	}
	o.users++
	return o.asker, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		o.users--
		o.used = time.Now()
	}, nil
}

// sweep closes what has not been used for long.
func (a *askers) sweep() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, o := range a.open {
		if o.users == 0 && time.Since(o.used) > forgetAfter {
			o.asker.Close()
			delete(a.open, key)
		}
	}
}

// close closes all; nothing is in use any more.
func (a *askers) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.open {
		o.asker.Close()
	}
	a.open = nil
}
