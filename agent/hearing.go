package agent

import (
	"context"
	"sync"
	"time"

	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/agent/space"
	"github.com/musterhq/muster/fsm"
)

const (
	hearEvery = time.Second
	hearAgain = 100 * time.Millisecond // when the leader did not listen
	heardFor  = 2 * time.Second
	silentFor = 3 * hearEvery // three words missed: what a peer does is given to others
	maxBehind = 256           // entries a ready peer may be behind
)

// word is what a peer posts to the leader every second.
type word struct {
	Peer    fsm.Peer `json:"peer"`
	Applied uint64   `json:"applied"`
	Polls   int      `json:"polls"`
	Idle    bool     `json:"idle"` // takes up no claims
	Version string   `json:"version"`
	Epoch   string   `json:"epoch"`
	Bare    bool     `json:"bare"`  // its state is a restore's, with no entry since
	Clock   fsm.Time `json:"clock"` // what its wall clock shows

	Disk space.Level `json:"disk"`
}

// hearing is what a leader has heard from the peers in this term.
type hearing struct {
	mu    sync.Mutex
	peers map[string]heard
}

type heard struct {
	word
	at   time.Time
	from time.Time // since when there was no gap
	news bool      // nobody has asked what it said
}

func newHearing() *hearing { return &hearing{peers: map[string]heard{}} }

func (h *hearing) hear(w word) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	from := now
	if before, ok := h.peers[w.Peer.ID]; ok && now.Sub(before.at) < silentFor {
		from = before.from
	}
	h.peers[w.Peer.ID] = heard{word: w, at: now, from: from, news: true}
}

// steady says whether a peer is heard, and has been for so long without a gap.
func (h *hearing) steady(peer string, d time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	w, ok := h.peers[peer]
	return ok && time.Since(w.at) < silentFor && time.Since(w.from) >= d
}

// news are the words that came since it was last called.
func (h *hearing) news() []word {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []word
	for id, w := range h.peers {
		if w.news {
			out = append(out, w.word)
			w.news = false
			h.peers[id] = w
		}
	}
	return out
}

// of is what was heard of a peer lately; false when it was not heard for heardFor.
func (h *hearing) of(peer string) (word, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w, ok := h.peers[peer]
	return w.word, ok && time.Since(w.at) < heardFor
}

// ready says whether a peer was heard lately, keeps up and takes up claims.
func (h *hearing) ready(peer string, applied uint64) bool {
	w, ok := h.of(peer)
	return ok && !w.Idle && w.Applied+maxBehind >= applied
}

// silent says whether a peer is not heard any more, or has not been at all in a term that began some time ago: whoever lives
// tells a new leader within hearAgain that it does, so that hearEvery is long.
func (h *hearing) silent(peer string, began time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w, ok := h.peers[peer]; ok {
		return time.Since(w.at) >= silentFor
	}
	return time.Since(began) >= hearEvery
}

// report tells the leader that this peer lives and how it keeps up, until ctx ends: every second, and a new leader as soon
// as it listens, since until then it gives this peer no claims.
func (a *Agent) report(ctx context.Context) error {
	for {
		changed, wait := a.leaders.Changed(), hearEvery
		if !a.reportOnce(ctx) {
			wait = hearAgain
		}
		next := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-next.C:
		case <-changed:
		}
		next.Stop()
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is the end that was asked for
		}
	}
}

// reportOnce says whether the leader heard this peer, or has no need to.
func (a *Agent) reportOnce(ctx context.Context) bool {
	leader := a.leaders.ID()
	if leader == "" {
		return false
	}
	w := a.word()
	if leader == a.id {
		t := a.term.Load()
		if t != nil {
			t.hearing.hear(w)
		}
		return t != nil
	}
	ctx, cancel := context.WithTimeout(ctx, hearEvery)
	defer cancel()
	err := exchange(ctx, a.askLeader, peerport.Request{Peer: leader, Path: pathHear}, w, &nothing{})
	if err != nil {
		a.stranded(err)
		a.log.Debug("the leader did not hear this peer", "leader", leader, "error", err)
	}
	return err == nil
}

func (a *Agent) word() word {
	r := a.machine.Read()
	m := r.Meta()
	return word{
		Peer: a.row(), Applied: m.Index, Epoch: m.Epoch(), Bare: bare(r), Polls: a.worker.Polls(),
		Idle: a.idle(), Version: a.cfg.Version, Clock: fsm.TimeOf(a.cfg.Seams.Now()), Disk: a.space.Level(),
	}
}

// idle says whether this peer takes up no claims: it is stopping, or has not caught up since it started.
func (a *Agent) idle() bool { return a.draining.Load() || !a.caughtUp.Load() }

// row is this peer as its row in the state should be.
func (a *Agent) row() fsm.Peer {
	return fsm.Peer{
		ID: a.id, Name: a.cfg.Name, Status: fsm.PeerAlive, Worker: a.cfg.Worker, Labels: a.live.Load().labels, Release: a.machine.Level,
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
