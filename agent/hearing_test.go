package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/fsm"
)

// A peer is silent a second into a term in which it was not heard, and three seconds after its last word.
func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, h := time.Now(), newHearing()
		for _, c := range []struct {
			pass time.Duration
			word bool
			want bool
		}{
			{900 * time.Millisecond, false, false},
			{200 * time.Millisecond, false, true},
			{0, true, false},
			{2900 * time.Millisecond, false, false},
			{200 * time.Millisecond, false, true},
			{time.Second, true, false},
		} {
			<-time.After(c.pass)
			if c.word {
				h.hear(word{Peer: fsm.Peer{ID: "p"}})
			}
			if got := h.silent("p", began); got != c.want {
				t.Errorf("%s into the term silent is %v, want %v", time.Since(began), got, c.want)
			}
		}
	})
}
