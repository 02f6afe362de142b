package agent

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// backedUp is a backup of what a peer holds.
func (p *peer) backedUp() []byte {
	p.w.t.Helper()
	var b bytes.Buffer
	if err := (backupsFace{p.Agent}).Write(&b, p.machine.Read()); err != nil {
		p.w.t.Fatal(err)
	}
	return b.Bytes()
}

func (p *peer) restored(archive []byte) httpd.Restored {
	p.w.t.Helper()
	out, err := p.tryRestore(bytes.NewReader(archive))
	if err != nil {
		p.w.t.Fatal(err)
	}
	return out
}

func (p *peer) tryRestore(from io.Reader) (httpd.Restored, error) {
	return backupsFace{p.Agent}.Restore(p.w.t.Context(), from, operator)
}

// inEpoch says whether a peer is in an epoch.
func inEpoch(epoch string) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool { return r.Meta().Epoch() == epoch }
}

func peerIDs(r *fsm.Reader) (out []string) {
	for p := range r.Peers() {
		out = append(out, p.ID)
	}
	return out
}

// TestRestoreReplacesTheState restores a backup of the group's own past through each kind of peer: every peer holds what it
// holds and nothing that came later, in a new epoch, and the work goes on.
func TestRestoreReplacesTheState(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(5, 2, nil)
		archive := w.leader().backedUp()
		b, err := backup.Read(bytes.NewReader(archive))
		if err != nil {
			t.Fatal(err)
		}
		for i, through := range []*peer{w.leader(), w.follower()} {
			w.clusters(9+i, 2)
			through.await("more clusters", healthy(9+i))
			before, ids := through.machine.Read().Meta(), peerIDs(through.machine.Read())
			wait := through.machine.Read().Wait(fsm.SetClusters)
			w.clusters(5, 2)

			out := through.restored(archive)
			after := fsm.TimeOf(time.Now())
			for _, p := range w.running() {
				r := p.await("the new epoch", inEpoch(out.Epoch))
				if n := len(slices.Collect(r.Clusters(""))); n != 5 {
					t.Errorf("%s holds %d clusters, not 5", p.name, n)
				}
				m := r.Meta()
				if diff := cmp.Diff(ids, peerIDs(r)); diff != "" || m.Group != before.Group || m.Feature != before.Feature {
					t.Errorf("%s: group %s, feature level %d, peers (-want +got):\n%s", p.name, m.Group, m.Feature, diff)
				}
				if m.Index <= before.Index || r.Wait(fsm.SetClusters).Index <= wait.Index {
					t.Errorf("%s: index %d does not pass %d", p.name, m.Index, before.Index)
				}
				told := p.events(b.Seq, "state.*")
				if len(told) != 1 || told[0].Seq != b.Seq+1 || told[0].Cause != operator || out.Cursor != m.Cursor(b.Seq).String() {
					t.Errorf("%s: state.restored is told as %+v, the cursor before it is %s", p.name, told, out.Cursor)
				}
			}
			through.await("refreshes after it", observed(after))
			select {
			case <-wait.Abandoned:
			default:
				t.Error("who waited on the old state was not woken")
			}
		}
		w.nothingLeft()
	})
}

// TestRestoreElsewhere restores a backup into groups of other sizes, that never heard of its group.
func TestRestoreElsewhere(t *testing.T) {
	var archive []byte
	var group string
	inBubble(t, 3, func(_ *testing.T, w *world) {
		w.settled(4, 2, nil)
		for range 300 { // so that its log is longer than that of who restores it
			w.leader().apply(&fsm.OperatorAct{Action: "test", Cause: operator})
		}
		archive, group = w.leader().backedUp(), w.leader().machine.Read().Meta().Group
	})
	for _, n := range []int{1, 5} {
		inBubble(t, n, func(t *testing.T, w *world) {
			w.clusters(4, 2)
			w.leader().await("the feature level of the backup", atLevel(nowLevel))
			own := w.leader().machine.Read().Meta()
			out := w.leader().restored(archive)
			for _, p := range w.running() {
				r := p.await("the new epoch", inEpoch(out.Epoch))
				if m := r.Meta(); m.Group != own.Group || m.Group == group {
					t.Errorf("%s is of group %s", p.name, m.Group)
				}
				if got := len(peerIDs(r)); got != n {
					t.Errorf("%s holds %d peers, not %d", p.name, got, n)
				}
			}
			w.leader().await("refreshes after it", observed(fsm.TimeOf(time.Now())))
			if last := w.leader().raft.LastIndex(); last <= out.Index {
				t.Errorf("raft's index %d does not pass %d", last, out.Index)
			}
		})
	}
}

// TestRestoreRefused holds that a file that is no whole backup, or that this group may not take up, changes nothing, and that
// the leader does not even stop for it.
func TestRestoreRefused(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(2, 2, nil)
		whole := w.leader().backedUp()
		newer := restoredState(t, whole)
		if _, err := newer.Apply(newer.Read().Meta().Index+1, fsm.Entry(0, fsm.Frame(&fsm.FeatureRaise{Level: nextLevel}))); err != nil {
			t.Fatal(err)
		}
		var raised, empty bytes.Buffer
		if err := errors.Join(backup.Write(&raised, newer.Read()), backup.Write(&empty, fsm.NewState().Read())); err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(whole)
		damaged[len(damaged)/2] ^= 0x10
		for _, through := range []*peer{w.leader(), w.follower()} {
			term, epoch := w.leader().term.Load(), through.machine.Read().Meta().Epoch()
			for _, c := range []struct {
				says string
				from io.Reader
			}{
				{"it is no gzip file", strings.NewReader("text")},
				{"cut short", bytes.NewReader(whole[:len(whole)-1])},
				{"; nothing was done", bytes.NewReader(damaged)},
				{nextWord, &raised},
				{"no group was born", &empty},
				{"the backup did not arrive", io.MultiReader(bytes.NewReader(whole[:100]), broken{})},
			} {
				_, err := through.tryRestore(c.from)
				if !errors.Is(err, fsm.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v does not refuse with %q", err, c.says)
				}
			}
			if w.leader().term.Load() != term || through.machine.Read().Meta().Epoch() != epoch {
				t.Error("a refused restore stopped the leader, or began an epoch")
			}
			var again bytes.Buffer
			if err := backup.Write(&again, newer.Read()); err != nil {
				t.Fatal(err)
			}
			raised = again
			empty.Reset()
			if err := backup.Write(&empty, fsm.NewState().Read()); err != nil {
				t.Fatal(err)
			}
		}
		w.nothingLeft()
	})
}

// nothingLeft checks that no file of a restore is there any more.
func (w *world) nothingLeft() {
	w.t.Helper()
	for _, p := range w.peers {
		if left, err := filepath.Glob(filepath.Join(p.dir, spooled+"*")); err != nil || len(left) > 0 {
			w.t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the line is dead") }

func restoredState(t *testing.T, archive []byte) *fsm.State {
	t.Helper()
	b, err := backup.Read(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	return b.State
}

// TestRestoreWithoutALeader asks a peer that is alone: nothing is done.
func TestRestoreWithoutALeader(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		archive := w.leader().backedUp()
		last := w.leader()
		for _, p := range w.others(last) {
			p.end()
		}
		w.until("no leader", func() bool { return last.raft.State() != raft.Leader && last.leaders.ID() == "" })
		if _, err := last.tryRestore(bytes.NewReader(archive)); !errors.Is(err, fsm.ErrUnavailable) {
			t.Errorf("restore without a leader: %v", err)
		}
		for _, p := range w.peers {
			if p != last {
				p.start(nil)
			}
		}
		w.leader()
	})
}

// TestRestoresTakeTurns holds that a second backup is not even read while one is, since each holds a whole state, and that
// the next one is once that has ended.
func TestRestoresTakeTurns(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		archive := w.leader().backedUp()
		for _, through := range []*peer{w.leader(), w.follower()} {
			first, more := io.Pipe()
			ended := make(chan error)
			go func() {
				_, err := w.leader().tryRestore(first)
				ended <- err
			}()
			if _, err := more.Write(archive[:20]); err != nil {
				t.Fatal(err)
			}
			if _, err := through.tryRestore(bytes.NewReader(archive)); !errors.Is(err, fsm.ErrConflict) {
				t.Errorf("a second restore: %v", err)
			}
			if err := more.CloseWithError(errors.New("given up")); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, fsm.ErrInvalid) {
				t.Errorf("the first: %v", err)
			}
		}
		w.leader().restored(archive)
	})
}

// TestRestoreWaitsForWhatIsCommitted has an entry committed and not yet applied when a restore begins, as in a term that has
// just begun: the peers that the group keeps are those with that entry.
func TestRestoreWaitsForWhatIsCommitted(t *testing.T) {
	state := &gatedState{}
	inBubbleOf(t, 1, state.around, func(t *testing.T, w *world) {
		p := w.leader()
		r := &restore{state: restoredState(t, p.backedUp()), cause: operator, done: make(chan struct{})}
		open := state.shut()
		late := fsm.Entry(0, fsm.Frame(&fsm.PeerSet{Peer: fsm.Peer{ID: "01LATE", Name: "late", Status: fsm.PeerAlive}}))
		p.raft.Apply(late, 0)
		time.AfterFunc(time.Second, open)
		p.takeUp(r)
		if r.err != nil {
			t.Fatal(r.err)
		}
		p.await("the new epoch", inEpoch(r.out.Epoch))
		if ids := peerIDs(p.machine.Read()); !slices.Contains(ids, "01LATE") {
			t.Errorf("the restored state has the peers %q", ids)
		}
	})
}

// TestNobodyIsStrandedWrongly has a peer that missed a restore come back: it is in an epoch of the group's past, and catches up.
// A leader that lost its term meanwhile, and does not know the new epoch, ends nobody who is in it.
func TestNobodyIsStrandedWrongly(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(2, 2, nil)
		old := w.leader()
		term, before := old.term.Load(), old.machine.Read().Meta().Epoch()
		archive := old.backedUp()
		w.isolate(old)
		next := w.leaderOf(w.others(old))
		out := next.restored(archive)
		if err := term.knows(t.Context(), word{Epoch: out.Epoch, Bare: true}); !errors.Is(err, consensus.ErrNotLeading) {
			t.Errorf("a leader of the past says of a new epoch: %v", err)
		}
		w.until("its next term", func() bool { return next.term.Load() != nil })
		if err := next.term.Load().knows(t.Context(), word{Epoch: before, Bare: true}); err != nil {
			t.Errorf("the leader says of an epoch of the past: %v", err)
		}
		w.heal()
		w.pass(10 * time.Second)
		old.await("the new epoch", inEpoch(out.Epoch))
	})
}

// gatedState is a state at which entries and restores can be stopped.
type gatedState struct {
	raft.FSM
	gate      atomic.Pointer[chan struct{}] // entries wait until it is closed
	restoring atomic.Pointer[func()]        // called before the next restore
}

// around puts it around a peer's state.
func (g *gatedState) around(c *Config) {
	c.Seams.Raft = func(parts *consensus.Parts) { g.FSM, parts.FSM = parts.FSM, g }
}

func (g *gatedState) shut() (open func()) {
	gate := make(chan struct{})
	g.gate.Store(&gate)
	return func() { close(gate) }
}

// Apply is raft.FSM's.
func (g *gatedState) Apply(l *raft.Log) any {
	if gate := g.gate.Load(); gate != nil {
		<-*gate
	}
	return g.FSM.Apply(l)
}

// Restore is raft.FSM's.
func (g *gatedState) Restore(from io.ReadCloser) error {
	if then := g.restoring.Swap(nil); then != nil {
		(*then)()
	}
	return g.FSM.Restore(from)
}
