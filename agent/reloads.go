package agent

import (
	"strings"
	"sync"
	"sync/atomic"

	httpd "github.com/musterhq/muster/http"
)

// reloads is what came of reading the configuration again so far.
type reloads struct {
	good, bad atomic.Uint64

	mu      sync.Mutex
	wrong   string // with the last one
	restart []string
}

func (r *reloads) failed(err error) {
	r.bad.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = err.Error()
}

func (r *reloads) done(restart []httpd.SettingChange) {
	r.good.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong, r.restart = "", nil
	for _, c := range restart {
		r.restart = append(r.restart, c.Setting)
	}
}

// waiting is how many settings wait for a restart.
func (r *reloads) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.restart)
}

// warnings are what somebody should look after.
func (r *reloads) warnings() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrong != "" {
		out = append(out, "the configuration was not taken over when it was read again: "+r.wrong)
	}
	if len(r.restart) > 0 {
		out = append(out, "changed in files, but not before a restart: "+strings.Join(r.restart, ", "))
	}
	return out
}
