package agent

import (
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// hashEvery is at which entries the referee has each peer hash its whole state.
const hashEvery = 100

// referee watches every entry that any peer of a world applies, in any of its lives: all must do the same with it, and the
// first to apply it shows what it does to claims, terms and time.
type referee struct {
	mu       sync.Mutex
	entries  map[uint64][32]byte // what an entry is and did
	hashes   map[uint64][32]byte // of whole states
	last     uint64              // the last entry that was new
	time     fsm.Time            // of it
	terms    map[uint64]bool
	open     map[fsm.Subject]uint64 // tokens of open claims
	closed   map[fsm.Ticket]uint64  // the entries that closed claims
	parts    map[fsm.Ticket]uint32  // accepted
	accepted int                    // completions
	refused  int                    // completions that came late or twice
	faults   []string
}

func newReferee() *referee {
	return &referee{
		entries: map[uint64][32]byte{}, hashes: map[uint64][32]byte{}, terms: map[uint64]bool{},
		open: map[fsm.Subject]uint64{}, closed: map[fsm.Ticket]uint64{}, parts: map[fsm.Ticket]uint32{},
	}
}

// faultf takes down what must not be.
func (f *referee) faultf(format string, args ...any) {
	if len(f.faults) < 20 {
		f.faults = append(f.faults, fmt.Sprintf(format, args...))
	}
}

// refereed is a peer's machine as raft has it.
type refereed struct {
	*replica.Machine
	referee *referee
	peer    string
}

// Apply is raft.FSM's.
func (m *refereed) Apply(l *raft.Log) any {
	answer := m.Machine.Apply(l)
	m.referee.mu.Lock()
	defer m.referee.mu.Unlock()
	applied, ok := answer.(*fsm.Applied)
	if !ok {
		m.referee.faultf("%s does not apply entry %d: %v", m.peer, l.Index, answer)
		return answer
	}
	m.referee.entry(m, l, applied)
	return answer
}

// Restore is raft.FSM's. The state of a peer never goes back.
func (m *refereed) Restore(from io.ReadCloser) error {
	before := m.Machine.Read().Meta().Index
	err := m.Machine.Restore(from)
	m.referee.mu.Lock()
	defer m.referee.mu.Unlock()
	if after := m.Machine.Read().Meta().Index; after < before {
		m.referee.faultf("%s goes back from entry %d to %d", m.peer, before, after)
	}
	return err
}

// entry judges one entry that a peer has applied.
func (f *referee) entry(m *refereed, l *raft.Log, a *fsm.Applied) {
	meta := m.Machine.Read().Meta()
	did := sha256.New()
	fmt.Fprint(did, l.Term, meta.Seq, meta.Time, meta.Index, a.Events)
	did.Write(l.Data)
	did.Write(fsm.EncodeResults(a.Results))
	sum := [32]byte(did.Sum(nil))
	if was, ok := f.entries[l.Index]; ok && was != sum {
		f.faultf("%s does something else with entry %d: it is at event %d", m.peer, l.Index, meta.Seq)
	}
	if l.Index%hashEvery == 0 {
		f.state(m, l.Index)
	}
	if _, ok := f.entries[l.Index]; ok {
		return
	}
	f.entries[l.Index] = sum
	if l.Index < f.last {
		f.faultf("%s applies entry %d, which nobody did, after %d was", m.peer, l.Index, f.last)
		return
	}
	f.last = l.Index
	f.first(l, a)
}

// state compares the whole states of peers at one entry.
func (f *referee) state(m *refereed, index uint64) {
	h := sha256.New()
	if err := m.Machine.Read().WriteSnapshot(h); err != nil {
		f.faultf("%s: snapshot of entry %d: %v", m.peer, index, err)
	}
	sum := [32]byte(h.Sum(nil))
	if was, ok := f.hashes[index]; ok && was != sum {
		f.faultf("%s has another state at entry %d", m.peer, index)
	}
	f.hashes[index] = sum
}

// first judges an entry when it is applied for the first time.
func (f *referee) first(l *raft.Log, a *fsm.Applied) {
	at, commands, err := fsm.DecodeEntry(l.Data)
	if err != nil {
		f.faultf("entry %d: %v", l.Index, err)
		return
	}
	if at < f.time {
		f.faultf("entry %d goes back in time, from %s to %s", l.Index, f.time, at)
	}
	f.time = at
	if !f.terms[l.Term] {
		f.terms[l.Term] = true
		f.opens(l, commands)
	}
	for i, c := range commands {
		f.completion(l.Index, c, &a.Results[i])
	}
	for _, c := range a.Closed {
		f.closes(l.Index, c)
	}
	for _, c := range a.Granted {
		if was := f.open[c.Subject]; was != 0 {
			f.faultf("entry %d grants a claim on %v, whose claim %d is open", l.Index, c.Subject, was)
		}
		if c.Token != l.Index {
			f.faultf("entry %d grants a claim with token %d", l.Index, c.Token)
		}
		f.open[c.Subject] = c.Token
	}
}

// opens judges the first entry of a term: it must say who leads in it.
func (f *referee) opens(l *raft.Log, commands []fsm.Command) {
	for _, c := range commands {
		if c, ok := c.(*fsm.LeaderChange); ok && c.Term == l.Term {
			return
		}
	}
	f.faultf("entry %d is the first of term %d and does not say who leads: %v", l.Index, l.Term, kindsOf(commands))
}

func kindsOf(commands []fsm.Command) (out []string) {
	for _, c := range commands {
		out = append(out, fsm.KindName(c))
	}
	return out
}

// completion judges what was accepted of a run or refresh: each part once, and nothing after the one that closed the claim.
func (f *referee) completion(index uint64, c fsm.Command, r *fsm.Result) {
	var t fsm.Ticket
	var part uint32
	switch c := c.(type) {
	case *fsm.RefreshComplete:
		t, part = fsm.Ticket{Subject: fsm.Subject{Kind: fsm.KindRefresh, ID: c.Cluster}, Token: c.Token}, c.Part
	case *fsm.RunComplete:
		t, part = fsm.Ticket{Subject: fsm.Subject{Kind: fsm.KindRun, ID: c.Discovery}, Token: c.Token}, c.Part
	default:
		return
	}
	if r.Error != nil || r.Already {
		f.refused++
		return
	}
	f.accepted++
	if by, ok := f.closed[t]; ok {
		f.faultf("entry %d completes the claim %v, which entry %d closed", index, t, by)
	}
	if f.open[t.Subject] != t.Token {
		f.faultf("entry %d completes the claim %v, which is not open", index, t)
	}
	if part < f.parts[t] {
		f.faultf("entry %d has part %d of %v accepted again", index, part, t)
	}
	f.parts[t] = part + 1
	if r.Closed {
		f.closed[t] = index
	}
}

// closes judges the end of a claim: it comes once.
func (f *referee) closes(index uint64, c *fsm.Claim) {
	t := c.Ticket()
	if by, ok := f.closed[t]; ok && by != index {
		f.faultf("entry %d closes the claim %v, which entry %d closed", index, t, by)
	}
	f.closed[t] = index
	if c.Token == index {
		return // granted and closed by one entry
	}
	if f.open[c.Subject] != c.Token {
		f.faultf("entry %d closes the claim %v, which is not open", index, t)
	}
	delete(f.open, c.Subject)
}
