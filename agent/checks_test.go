package agent

import (
	"strings"
	"testing"
	"time"
)

// failing are the checks of a peer that fail, those after which it must be started again marked.
func (p *peer) failing() string {
	var out []string
	for _, c := range (lifeFace{p.Agent}).Checks() {
		if c.Err == nil {
			continue
		}
		name := c.Name
		if c.Restart {
			name += "!"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// fails checks which of a peer's checks do.
func (p *peer) fails(want string) {
	p.w.t.Helper()
	if got := p.failing(); got != want {
		p.w.t.Errorf("%s fails %q, want %q", p.name, got, want)
	}
}

// TestChecks: a peer fails those checks that say what is wrong with it, and no others.
func TestChecks(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		for _, name := range []string{"peer-a", "peer-b", "peer-c"} {
			w.add(name)
		}
		early := w.peers[0]
		early.start(func(c *Config) { c.BootstrapExpect = 3 })
		w.pass(time.Second)
		early.fails("leader membership caught_up")
		for _, p := range w.peers[1:] {
			p.start(func(c *Config) { c.BootstrapExpect = 3 })
		}
		for _, p := range w.peers {
			p.await("all peers' rows", rows(3))
			w.until("it is ready", func() bool { return p.failing() == "" })
		}
		cut := w.follower()
		w.isolate(cut)
		w.pass(20 * time.Second)
		cut.fails("leader")
		cut.draining.Store(true)
		cut.fails("leader staying")
		cut.draining.Store(false)
		w.heal()
		w.until("it is ready again", func() bool { return cut.failing() == "" })
	})
}
