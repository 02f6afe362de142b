package agent

import (
	"testing"
	"time"
)

// TestPeerThatComesBackIsServedAtOnce keeps a follower away, cut off and stopped, for seconds and for minutes: within two seconds
// of its return it has what was written meanwhile, however often the leader tried in vain.
func TestPeerThatComesBackIsServedAtOnce(t *testing.T) {
	for name, away := range map[string]func(p *peer, d time.Duration){
		"cut off": func(p *peer, d time.Duration) {
			p.w.isolate(p)
			p.w.pass(d)
			p.w.heal()
		},
		"stopped": func(p *peer, d time.Duration) {
			p.end()
			p.w.pass(d)
			p.start(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				leader := w.leader()
				follower := w.others(leader)[0]
				for i, d := range []time.Duration{3 * time.Second, 20 * time.Second, 5 * time.Minute} {
					leader.note(i)
					away(follower, d)
					back := time.Now()
					w.level(follower)
					if took := time.Since(back); took > 2*time.Second {
						t.Errorf("away for %s, a follower was behind for another %s", d, took)
					}
				}
			})
		})
	}
}
