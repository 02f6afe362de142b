package agent

import (
	"context"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	hearEvery = time.Second
	heardFor  = 2 * time.Second
	maxBehind = 256 // entries a ready peer may be behind
)

// word is what a peer posts to the leader every second.
type word struct {
	Peer     fsm.Peer `json:"peer"`
	Applied  uint64   `json:"applied"`
	Polls    int      `json:"polls"`
	Draining bool     `json:"draining"`
	Version  string   `json:"version"`
}

// hearing is what a leader has heard from the peers in this term.
type hearing struct {
	mu    sync.Mutex
	peers map[string]heard
}

type heard struct {
	word
	at time.Time
}

func newHearing() *hearing { return &hearing{peers: map[string]heard{}} }

func (h *hearing) hear(w word) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers[w.Peer.ID] = heard{w, time.Now()}
}

// of is what was heard of a peer lately; false when it was not heard for heardFor.
func (h *hearing) of(peer string) (word, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w, ok := h.peers[peer]
	return w.word, ok && time.Since(w.at) < heardFor
}

// ready says whether a peer was heard lately, keeps up and is not stopping.
func (h *hearing) ready(peer string, applied uint64) bool {
	w, ok := h.of(peer)
	return ok && !w.Draining && w.Applied+maxBehind >= applied
}

// report tells the leader every second that this peer lives and how it keeps up, until ctx ends.
func (a *Agent) report(ctx context.Context) error {
	tick := time.NewTicker(hearEvery)
	defer tick.Stop()
	for {
		a.reportOnce(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-a.reportNow:
		}
	}
}

func (a *Agent) reportOnce(ctx context.Context) {
	leader := a.leaderID()
	if leader == "" {
		return
	}
	w := a.word()
	if leader == a.id {
		if t := a.term.Load(); t != nil {
			t.hearing.hear(w)
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hearEvery)
	defer cancel()
	if err := a.ask(ctx, leader, pathHear, w, &nothing{}); err != nil && ctx.Err() == nil {
		a.log.Debug("the leader did not hear this peer", "leader", leader, "error", err)
	}
}

func (a *Agent) word() word {
	return word{
		Peer: a.row(), Applied: a.machine.Read().Meta().Index, Polls: a.worker.Polls(),
		Draining: a.draining.Load(), Version: a.cfg.Version,
	}
}

// row is this peer as its row in the state should be.
func (a *Agent) row() fsm.Peer {
	return fsm.Peer{
		ID: a.id, Name: a.cfg.Name, Status: fsm.PeerAlive, Worker: a.cfg.Worker, Labels: a.cfg.Labels, Release: featureLevel,
	}
}

// last is when a peer was last heard, at least when the term began.
func (h *hearing) last(peer string, began time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w, ok := h.peers[peer]; ok {
		return w.at
	}
	return began
}
