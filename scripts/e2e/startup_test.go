package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// lone is a peer that would be a group of one, with a data directory.
func (w *world) lone(name string) (*rig.Group, *rig.Peer) {
	w.Helper()
	g, err := w.rig.Group(w.soon(), program, 0)
	w.must(err)
	p, err := g.Add(name)
	w.must(err)
	return g, p
}

// refuses runs a peer on a data directory that it must refuse, and checks what it says.
func (w *world) refuses(dir string, words []string, flags ...string) {
	w.Helper()
	var addrs [3]string
	for i := range addrs {
		var err error
		addrs[i], err = rig.Addr()
		w.must(err)
	}
	got := w.muster(append([]string{
		"agent", "-data-dir", dir, "-name", "other", "-bootstrap-expect", "1",
		"-http-addr", addrs[0], "-peer-addr", addrs[1], "-gossip-addr", addrs[2],
	}, flags...)...)
	if got.code != 1 {
		w.Errorf("exit %d, want 1", got.code)
	}
	for _, word := range append(words, dir) {
		if !strings.Contains(got.stderr, word) {
			w.Errorf("the message does not say %q: %s", word, got.stderr)
		}
	}
}

// TestDataDirectory shows that a peer refuses a data directory which is not its own, and says which and why.
func TestDataDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, p := w.lone("peer-a")
	w.must(p.Start("-bootstrap-expect", "1"))
	w.must(g.Ready(w.soon()))
	w.refuses(p.Data, []string{"in use"})
	w.must(p.Stop())
	w.refuses(p.Data, []string{`"muster"`, `"payments"`}, "-group", "payments")

	open := filepath.Join(w.rig.Dir, "open")
	w.must(os.Mkdir(open, 0o700))
	w.must(os.Chmod(open, 0o755))
	w.refuses(open, []string{"0755", "chmod 700"})

	empty := filepath.Join(w.rig.Dir, "empty")
	got := w.muster("agent", "-data-dir", empty, "-name", "other")
	if got.code != 1 || !strings.Contains(got.stderr, "-bootstrap-expect") || !strings.Contains(got.stderr, "-join") {
		t.Errorf("exit %d for a peer that was told nothing: %s", got.code, got.stderr)
	}

	// None of it did harm.
	w.must(p.Start())
	w.must(g.Ready(w.soon()))
}

// TestInterruptedStart interrupts a peer at random moments of its start. Every time it must end by itself, in order, and
// leave a directory that starts again.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	for round := range 10 {
		// The directory is fresh in every other round, and has been interrupted once before in the rest.
		g, p := w.lone(fmt.Sprintf("peer-%d", round/2))
		after := time.Duration(random.Int64N(int64(time.Second)))
		w.must(p.Start("-bootstrap-expect", "1"))
		moment := time.NewTimer(after) // the moment is the point, nothing is waited for
		select {
		case <-moment.C:
		case <-p.Done():
			t.Fatalf("round %d: the peer ended by itself: %s", round, p.Err())
		}
		w.must(p.Signal(os.Interrupt))
		w.until(fmt.Sprintf("the peer to end after an interrupt at %s", after), func(context.Context) error {
			if p.Running() {
				return fmt.Errorf("it runs")
			}
			return nil
		})
		if err := p.Err(); err != nil && !killedBySignal(err) {
			t.Errorf("round %d: interrupted after %s the peer ended with %s", round, after, err)
		}
		w.must(p.Start("-bootstrap-expect", "1"))
		w.must(g.Ready(w.soon()))
		w.apply(p, "written", object{"backend": "file", "config": object{"files": []string{"/nowhere.json"}}, "enabled": false})
		w.must(p.Stop())
		if err := p.Err(); err != nil {
			t.Errorf("round %d: the peer was asked to stop and ended with %s", round, err)
		}
	}
}

// killedBySignal says whether a process ended by the signal itself, since it had not yet asked to be told of it.
func killedBySignal(err error) bool { return strings.Contains(err.Error(), "signal: interrupt") }
