package consensus_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/agent/snapshots"
	"github.com/musterhq/muster/fsm"
)

// maxTaken is the largest snapshot that a follower of these tests takes up.
const maxTaken = 32 << 10

var quiet = slog.New(slog.DiscardHandler)

// follower is a peer that has applied an entry, and hears of a leader what a test sends.
type follower struct {
	tb    testing.TB
	dir   string
	state *replica.Machine
	raft  *raft.Raft
	peer  *raft.NetworkTransport // of who sends
	addr  string
	conns []net.Conn // from there
	fatal error
}

// heldTo is the entry up to which it has the state.
const heldTo = 7

func follow(tb testing.TB) *follower {
	tb.Helper()
	f := &follower{tb: tb, dir: tb.TempDir()}
	f.state = replica.New("b", func(err error) { f.fatal = err })
	store := raft.NewInmemStore()
	store.SetUint64(consensus.KeyTerm, 3) //nolint:errcheck // it is in memory
	for i := uint64(1); i <= heldTo; i++ {
		l := &raft.Log{Index: i, Term: 3, Data: entryAt(i)}
		if i == 1 {
			l.Type, l.Data = raft.LogConfiguration, raft.EncodeConfiguration(bothPeers)
		}
		if err := store.StoreLog(l); err != nil {
			tb.Fatal(err)
		}
	}
	snaps, err := snapshots.Open(snapshots.Config{
		Dir: f.dir, Logs: store, Log: quiet, Logger: hclog.NewNullLogger(), Check: fsm.CheckSnapshot,
		Applied: func() uint64 { return f.state.Read().Meta().Index },
	})
	if err != nil {
		tb.Fatal(err)
	}
	conf := consensus.Config("b", 1, quiet)
	conf.HeartbeatTimeout, conf.ElectionTimeout = time.Hour, time.Hour // it is for a leader to speak
	ours := f.listen()
	f.addr = ours.Addr().String()
	f.peer = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: f.listen(), MaxPool: 1, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
	})
	logs, err := consensus.FitLogs(store, snaps)
	if err != nil {
		tb.Fatal(err)
	}
	if f.raft, err = consensus.Start(consensus.Parts{Config: conf, FSM: f.state, Snapshots: snaps, Transport: consensus.NewTransport(ours, maxTaken, quiet)}, logs, store); err != nil {
		tb.Fatal(err)
	}
	if err := snaps.Settle(); err != nil {
		tb.Fatal(err)
	}
	// It applies what it holds once a leader says that it is committed.
	var resp raft.AppendEntriesResponse
	err = f.peer.AppendEntries("b", "b:1", &raft.AppendEntriesRequest{
		RPCHeader: fromA, Term: 3, PrevLogEntry: heldTo, PrevLogTerm: 3, LeaderCommitIndex: heldTo,
	}, &resp)
	if err != nil || !resp.Success {
		tb.Fatalf("the first word of the leader: %+v, %v", resp, err)
	}
	if err := f.state.WaitIndex(tb.Context(), heldTo); err != nil {
		tb.Fatal(err)
	}
	return f
}

var (
	bothPeers = raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"}}}
	fromA     = raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("a"), Addr: []byte("a:1")}
)

func entryAt(index uint64) []byte {
	return fsm.Entry(fsm.Time(1000*index), fsm.Frame(&fsm.OperatorAct{Action: "act", Cause: fsm.Cause{Kind: fsm.CauseOperator}}))
}

// listen makes the streams of one of the two.
func (f *follower) listen() streams {
	f.tb.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.tb.Fatal(err)
	}
	return streams{on, func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", f.addr)
		f.conns = append(f.conns, conn)
		return conn, err
	}}
}

// hangUp ends what was sent.
func (f *follower) hangUp() {
	for _, conn := range f.conns {
		_ = conn.Close() // it may be closed
	}
}

// end has the follower do what it has taken up, and no more.
func (f *follower) end() {
	f.hangUp()
	if err := errors.Join(f.raft.Shutdown().Error(), f.peer.Close()); err != nil {
		f.tb.Error(err)
	}
}

// written is the state as bytes.
func (f *follower) written() []byte {
	var out bytes.Buffer
	if err := f.state.Read().WriteSnapshot(&out); err != nil {
		f.tb.Fatal(err)
	}
	return out.Bytes()
}

// kept are the snapshots on its disk, finished and not.
func (f *follower) kept() []string {
	found, err := filepath.Glob(filepath.Join(f.dir, "snapshots", "*"))
	if err != nil {
		f.tb.Fatal(err)
	}
	return found
}

// stateAt is a snapshot of a state of so many entries.
func stateAt(tb testing.TB, index uint64) []byte {
	tb.Helper()
	state := fsm.NewState()
	for i := uint64(2); i <= index; i++ {
		if _, err := state.Apply(i, entryAt(i)); err != nil {
			tb.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := state.Read().WriteSnapshot(&out); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// install sends a snapshot, and hangs up after a body that is shorter than its head says.
func (f *follower) install(head raft.InstallSnapshotRequest, body []byte) (resp raft.InstallSnapshotResponse, err error) {
	head.RPCHeader, head.ConfigurationIndex = fromA, 1
	err = f.peer.InstallSnapshot("b", "b:1", &head, &resp, io.MultiReader(bytes.NewReader(body), atEnd(func() {
		if int64(len(body)) < head.Size {
			f.hangUp()
		}
	})))
	return resp, err
}

// TestSnapshotsAreTakenUp tells those that are from those that are not, by what another peer can do to them.
func TestSnapshotsAreTakenUp(t *testing.T) {
	body := stateAt(t, 20)
	whole := raft.InstallSnapshotRequest{
		SnapshotVersion: 1, Term: 3, LastLogIndex: 20, LastLogTerm: 3, Configuration: raft.EncodeConfiguration(bothPeers), Size: int64(len(body)),
	}
	for _, test := range []struct {
		name   string
		change func(head *raft.InstallSnapshotRequest, body []byte) []byte
		taken  bool
	}{
		{"as it was sent", func(_ *raft.InstallSnapshotRequest, body []byte) []byte { return body }, true},
		{"with entries of raft's own behind the state", func(head *raft.InstallSnapshotRequest, body []byte) []byte {
			head.Term, head.LastLogIndex = 4, 25
			return body
		}, true},
		{"of an entry that the state is beyond", func(head *raft.InstallSnapshotRequest, body []byte) []byte {
			head.LastLogIndex = 19
			return body
		}, false},
		{"of a leader of the past", func(head *raft.InstallSnapshotRequest, body []byte) []byte {
			head.Term = 2
			return body
		}, false},
		{"with a peer set that cannot be read", func(head *raft.InstallSnapshotRequest, body []byte) []byte {
			head.Configuration = head.Configuration[:len(head.Configuration)-1]
			return body
		}, false},
		{"with another last byte", func(_ *raft.InstallSnapshotRequest, body []byte) []byte {
			body[len(body)-1]++
			return body
		}, false},
		{"larger than may be", func(head *raft.InstallSnapshotRequest, _ []byte) []byte {
			body := stateAt(t, 900)
			head.LastLogIndex, head.Size = 900, int64(len(body))
			return body
		}, false},
		{"cut short", func(_ *raft.InstallSnapshotRequest, body []byte) []byte { return body[:len(body)-1] }, false},
		{"cut short, as its head says", func(head *raft.InstallSnapshotRequest, body []byte) []byte {
			head.Size--
			return body[:len(body)-1]
		}, false},
	} {
		p, head := follow(t), whole
		came := test.change(&head, bytes.Clone(body))
		resp, err := p.install(head, came)
		p.end()
		if taken := err == nil && resp.Success; taken != test.taken || (p.state.Read().Meta().Index > heldTo) != taken || p.fatal != nil {
			t.Errorf("a snapshot %s: %+v, %v; the state is at entry %d, %v", test.name, resp, err, p.state.Read().Meta().Index, p.fatal)
		}
	}
}

// TestEntriesThatCameDamaged has entries come that raft would panic over; it goes on to take those that are as they were sent.
func TestEntriesThatCameDamaged(t *testing.T) {
	p, set := follow(t), raft.EncodeConfiguration(bothPeers)
	send := func(entries ...*raft.Log) bool {
		var resp raft.AppendEntriesResponse
		err := p.peer.AppendEntries("b", "b:1", &raft.AppendEntriesRequest{
			RPCHeader: fromA, Term: 3, PrevLogEntry: heldTo, PrevLogTerm: 3, Entries: entries,
		}, &resp)
		return err == nil && resp.Success
	}
	for name, entries := range map[string][]*raft.Log{
		"a peer set that is cut short": {{Index: heldTo + 1, Term: 3, Type: raft.LogConfiguration, Data: set[:len(set)-1]}},
		"an entry that is none":        {{Index: heldTo + 1, Term: 3, Data: entryAt(heldTo + 1)}, nil},
	} {
		if send(entries...) {
			t.Errorf("%s was taken", name)
		}
	}
	if !send(&raft.Log{Index: heldTo + 1, Term: 3, Type: raft.LogConfiguration, Data: set}) {
		t.Error("a peer set as it was sent was not taken")
	}
	p.end()
}

// FuzzInstallSnapshot sends a follower a snapshot: whatever its head and its body are, it is taken up whole, by a follower that is as
// far as its head says then, or leaves no trace, in the state and on the disk.
func FuzzInstallSnapshot(f *testing.F) {
	body, set := stateAt(f, 20), raft.EncodeConfiguration(bothPeers)
	size := int64(len(body))
	f.Add(uint8(1), uint64(3), uint64(20), uint64(3), size, set, body)
	f.Add(uint8(1), uint64(4), uint64(25), uint64(4), size, set, body) // entries of raft's own are in no state
	f.Add(uint8(1), uint64(3), uint64(19), uint64(3), size, set, body) // a state that is ahead of its head
	f.Add(uint8(1), uint64(2), uint64(20), uint64(2), size, set, body) // of a leader of the past
	f.Add(uint8(1), uint64(3), uint64(20), uint64(3), size-1, set, body)
	f.Add(uint8(1), uint64(3), uint64(20), uint64(3), size+1, set, body)
	f.Add(uint8(1), uint64(3), uint64(20), uint64(3), int64(maxTaken+1), set, body)
	f.Add(uint8(1), uint64(3), uint64(20), uint64(3), int64(-1), set, body)
	f.Add(uint8(1), uint64(3), uint64(5), uint64(3), int64(len(stateAt(f, 5))), set, stateAt(f, 5)) // late
	f.Add(uint8(1), uint64(3), uint64(20), uint64(3), size, set[:len(set)-1], body)
	f.Add(uint8(0), uint64(3), uint64(20), uint64(3), size, []byte(nil), body)
	f.Add(uint8(1), uint64(3), uint64(20), uint64(3), size, set, append(body[:len(body)-1:len(body)-1], body[len(body)-1]^1))
	f.Fuzz(func(t *testing.T, version uint8, term, index, lastTerm uint64, size int64, set, body []byte) {
		p := follow(t)
		before, kept := p.written(), len(p.kept())
		var memory, after runtime.MemStats
		runtime.ReadMemStats(&memory)
		resp, err := p.install(raft.InstallSnapshotRequest{
			SnapshotVersion: raft.SnapshotVersion(version), Term: term, LastLogIndex: index, LastLogTerm: lastTerm,
			Configuration: set, Peers: set, Size: size,
		}, body)
		applied := p.raft.AppliedIndex()
		p.end()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - memory.TotalAlloc; took > 64<<20 {
			t.Errorf("a snapshot of %d bytes takes %d MiB", len(body), took>>20)
		}
		if p.fatal != nil {
			t.Fatalf("it ended the peer: %v", p.fatal)
		}
		if err == nil && resp.Success {
			whole := fsm.NewState()
			if err := whole.Restore(io.LimitReader(bytes.NewReader(body), size)); err != nil {
				t.Fatalf("it took up what is no state: %v", err)
			}
			var want bytes.Buffer
			if err := whole.Read().WriteSnapshot(&want); err != nil {
				t.Fatal(err)
			}
			at := whole.Read().Meta().Index
			if got := p.written(); !bytes.Equal(got, want.Bytes()) || at > index || size > maxTaken || term < 3 || index < heldTo || applied != index {
				t.Fatalf("of a snapshot of entry %d, term %d, it has entry %d of %d", index, term, at, applied)
			}
			return
		}
		if !bytes.Equal(p.written(), before) {
			t.Fatalf("refused, and another state: %+v, %v", resp, err)
		}
		if now := p.kept(); len(now) > kept {
			t.Fatalf("refused, and kept: %v; %+v, %v", now, resp, err)
		}
	})
}

// FuzzRequests is a stream of bytes in the place of raft's requests: it neither panics nor takes much room.
func FuzzRequests(f *testing.F) {
	f.Add([]byte{0, 0x80})
	f.Add([]byte("\x00\x81\xa7Entries\xdd\xff\xff\xff\xff"))
	f.Add([]byte("\x00\x83\xa4Term\x03\xacPrevLogEntry\x07\xa7Entries\x91\xc0"))
	f.Add([]byte("\x00\x83\xa4Term\x03\xacPrevLogEntry\x07\xa7Entries\x91\x83\xa5Index\x08\xa4Type\x05\xa4Data\xa1x"))
	f.Add([]byte("\x02\x82\xa4Size\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xadConfiguration\xdb\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := follow(t)
		var memory, after runtime.MemStats
		runtime.ReadMemStats(&memory)
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(raw); err == nil {
			_ = conn.(*net.TCPConn).CloseWrite() // it may have hung up
			_, _ = io.Copy(io.Discard, conn)
		}
		_ = conn.Close()
		p.end()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - memory.TotalAlloc; took > 64<<20 {
			t.Errorf("%d bytes take %d MiB", len(raw), took>>20)
		}
	})
}

// atEnd is what happens at the end of a body.
type atEnd func()

// Read is io.Reader's.
func (do atEnd) Read([]byte) (int, error) {
	do()
	return 0, io.EOF
}
