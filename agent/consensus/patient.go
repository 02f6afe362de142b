package consensus

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

const (
	patientLook = 50 * time.Millisecond  // how often is looked whether trying again is worth it
	refusedWait = 250 * time.Millisecond // for a server that could not keep what it was sent
)

// Wire is all that raft asks of its transport.
type Wire interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

// patient is raft's transport, which keeps back the news that entries or a snapshot did not arrive until trying again is worth it.
// Raft waits twice as long after each failure, ten seconds in the end, and does not stop waiting when the peer is back: who was away
// for minutes would be behind for as long, and not ready. Heartbeats go on several times a second, so they tell when it is back. Who is
// there and cannot keep what it is sent is tried again a few times a second.
type patient struct {
	Wire
	raft    atomic.Pointer[raft.Raft]
	mu      sync.Mutex
	answers map[raft.ServerID]uint64 // heartbeats that each server answered
}

func newPatient(w Wire) *patient { return &patient{Wire: w, answers: map[raft.ServerID]uint64{}} }

// AppendEntries is raft.Transport's.
func (p *patient) AppendEntries(
	id raft.ServerID, to raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	send := func() error { return p.Wire.AppendEntries(id, to, args, resp) }
	if args.PrevLogEntry > 0 || len(args.Entries) > 0 || args.LeaderCommitIndex > 0 {
		err := p.patiently(id, args.Term, send)
		if err == nil {
			refused(args, resp)
		}
		return err
	}
	err := send() // a heartbeat
	if err == nil {
		p.mu.Lock()
		p.answers[id]++
		p.mu.Unlock()
	}
	return err
}

// InstallSnapshot is raft.Transport's.
func (p *patient) InstallSnapshot(
	id raft.ServerID, to raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader,
) error {
	return p.patiently(id, args.Term, func() error { return p.Wire.InstallSnapshot(id, to, args, resp, data) })
}

// refused waits for a server that could not keep what it was sent, as one whose disk is full, in the place of raft, which would wait ever
// longer, and after the server's restart too. The server answers heartbeats all the while: they do not tell when it is well.
func refused(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) {
	if !resp.Success && !resp.NoRetryBackoff && resp.Term <= args.Term {
		<-time.After(refusedWait)
		resp.NoRetryBackoff = true
	}
}

// patiently sends, and where that fails returns when a heartbeat was answered since, or the server has nothing more to get.
func (p *patient) patiently(id raft.ServerID, term uint64, send func() error) error {
	before := p.answered(id)
	err := send()
	if err == nil {
		return nil
	}
	look := time.NewTicker(patientLook)
	defer look.Stop()
	for p.answered(id) == before && p.serves(id, term) {
		<-look.C
	}
	return err
}

func (p *patient) answered(id raft.ServerID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers[id]
}

// serves says whether this peer leads in a term, and a server is one of the group.
func (p *patient) serves(id raft.ServerID, term uint64) bool {
	r := p.raft.Load()
	return r != nil && r.State() == raft.Leader && r.CurrentTerm() == term &&
		slices.ContainsFunc(r.GetConfiguration().Configuration().Servers, func(s raft.Server) bool { return s.ID == id })
}
