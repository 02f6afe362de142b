package agent

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/space"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// disks say how much room each peer of a world has, by its data directory.
type disks map[string]*atomic.Int64 // MiB

// withDisks is inBubble with disks of 4 GiB.
func withDisks(t *testing.T, n int, test func(t *testing.T, w *world, room func(p *peer, mib int64))) {
	all := disks{}
	inEmptyBubble(t, func(t *testing.T, w *world) {
		for i := range n {
			p := w.add("peer-" + string(rune('a'+i)))
			all[p.dir] = new(atomic.Int64)
			all[p.dir].Store(2048)
			p.change = func(c *Config) {
				c.Seams.Space = func(dir string) (space.Room, error) {
					return space.Room{Free: uint64(all[dir].Load()) << 20, Total: 4 << 30}, nil
				}
			}
		}
		for _, p := range w.peers {
			p.start(func(c *Config) { c.BootstrapExpect = n })
		}
		for _, p := range w.peers {
			p.await("all peers' rows", rows(n))
		}
		test(t, w, func(p *peer, mib int64) { all[p.dir].Store(mib) })
		w.agree()
	})
}

// settings are a write of an operator's, another one each time.
func settings(r *fsm.Reader) *fsm.SettingsSet {
	s := *r.Settings()
	s.Limits.InFlight++
	return &fsm.SettingsSet{Settings: s, Cause: operator}
}

// refuses says whether a peer refuses an operator's write since a disk is full, naming it.
func (p *peer) refuses(names ...string) bool {
	_, err := p.Propose(p.w.t.Context(), settings(p.machine.Read()))
	if err == nil {
		return false
	}
	known, ok := errors.AsType[*fsm.Error](err)
	if !ok || known.Code != httpd.CodeDiskFull {
		p.w.t.Fatalf("%s: %v", p.name, err)
	}
	return strings.Contains(known.Message, strings.Join(names, ", ")+" is full")
}

// TestLeaderWithLittleRoomGivesLeadershipAway lets one disk after the other run low: leadership goes to where more room is,
// and stays where no other has more.
func TestLeaderWithLittleRoomGivesLeadershipAway(t *testing.T) {
	withDisks(t, 3, func(t *testing.T, w *world, room func(*peer, int64)) {
		led := map[string]bool{}
		for range 3 {
			leader := w.leader()
			led[leader.name] = true
			room(leader, 300)
			w.pass(30 * time.Second)
		}
		if len(led) != 3 {
			t.Errorf("%v led", led)
		}
		last := w.leader()
		term := last.raft.CurrentTerm()
		w.pass(time.Minute)
		if now := w.leader(); now != last || now.raft.CurrentTerm() != term {
			t.Errorf("leadership went from %s to %s where all disks are low", last.name, now.name)
		}
		if last.refuses() {
			t.Error("a write was refused where disks are low only")
		}
		if got := (lifeFace{last.Agent}).Warnings(); len(got) != 1 || !strings.Contains(got[0], "is low: 300 MiB of 4096 MiB are free") {
			t.Errorf("warnings are %q", got)
		}
	})
}

// TestWritesAreRefusedWithoutRoom fills the disks of a quorum: operators' writes are refused on every peer, refreshes go on,
// acts of operators are let through, and all is well again once there is room.
func TestWritesAreRefusedWithoutRoom(t *testing.T) {
	withDisks(t, 3, func(t *testing.T, w *world, room func(*peer, int64)) {
		w.settled(2, 3, func(s *fsm.Spec) { s.Refresh.Interval = 10 * fsm.Second })
		one := w.follower()
		room(one, 50)
		w.pass(10 * time.Second)
		if w.leader().refuses() || one.refuses() {
			t.Error("a write was refused while a quorum has room")
		}
		for _, p := range w.others(w.leader()) {
			room(p, 50)
		}
		full := w.others(w.leader())
		w.until("writes refused", func() bool { return w.leader().refuses(full[0].name, full[1].name) })
		for _, p := range w.peers {
			if !p.refuses(full[0].name, full[1].name) {
				t.Errorf("%s takes a write", p.name)
			}
		}
		subject := fsm.Subject{Kind: fsm.KindRefresh, ID: 1}
		if _, err := one.Ask(t.Context(), subject, operator); !errors.Is(err, &fsm.Error{Code: httpd.CodeDiskFull}) {
			t.Errorf("a refresh was asked for: %v", err)
		}
		if _, err := one.Propose(t.Context(), &fsm.OperatorAct{Action: "transfer_leader", Cause: operator}); err != nil {
			t.Errorf("an act was refused: %v", err)
		}
		polls := w.nodes.polls(addrsOf(2, 3)...)
		w.pass(30 * time.Second)
		if got := w.nodes.polls(addrsOf(2, 3)...) - polls; got < 12 {
			t.Errorf("%d polls in half a minute", got)
		}
		room(one, 170)
		w.until("writes taken", func() bool { return !w.leader().refuses() })
	})
}

// TestLonePeerWithoutRoomRefuses has nobody to give leadership to: it leads on, and says how its disk is.
func TestLonePeerWithoutRoomRefuses(t *testing.T) {
	withDisks(t, 1, func(t *testing.T, w *world, room func(*peer, int64)) {
		p := w.leader()
		room(p, 100)
		w.until("writes refused", func() bool { return p.refuses("peer-a") })
		want := &httpd.DiskStatus{Dir: p.dir, Level: "full", Free: 100 << 20, Total: 4 << 30}
		if diff := cmp.Diff(want, membersFace{p.Agent}.Self().Disk); diff != "" {
			t.Errorf("its disk (-want +got):\n%s", diff)
		}
		if err := (lifeFace{p.Agent}).Ready(); err != nil {
			t.Errorf("it is not ready: %v", err)
		}
		room(p, 150)
		w.pass(5 * time.Second)
		if !p.refuses("peer-a") {
			t.Error("writes are taken at once when the disk is just below its limit")
		}
		room(p, 1000)
		w.until("writes taken", func() bool { return !p.refuses() })
	})
}

// TestLeadershipGoesWhereItMay asks a leader without room whom it would give leadership to: a voter with more room that keeps up,
// stays and has the same time, and nobody else. Who does not vote counts for nothing.
func TestLeadershipGoesWhereItMay(t *testing.T) {
	withDisks(t, 3, func(t *testing.T, w *world, _ func(*peer, int64)) {
		leader := w.leader()
		worker := w.add("worker")
		worker.start(func(c *Config) { c.Worker = true })
		worker.await("four peers", rows(4))
		w.pass(10 * time.Second)
		synctest.Wait() // no peer has a word on its way
		own := leader.term.Load()
		voters := w.others(leader)[:2]
		says := func(change func(*word), some ...*peer) {
			for _, p := range some {
				said := p.word()
				change(&said)
				own.hearing.hear(said)
			}
		}
		well := func(*word) {}
		full := func(said *word) { said.Disk = space.Full }
		for name, test := range map[string]struct {
			voters, worker func(*word)
			goes           bool
		}{
			"all well":        {well, well, true},
			"a later time":    {func(said *word) { said.Clock = said.Clock.Add(2 * fsm.Duration(clockOff)) }, well, false},
			"an earlier time": {func(said *word) { said.Clock = said.Clock.Add(-2 * fsm.Duration(clockOff)) }, well, false},
			"going":           {func(said *word) { said.Idle = true }, well, false},
			"no more room":    {full, well, false},
			"a full worker":   {well, full, true},
		} {
			says(test.voters, voters...)
			says(test.worker, worker)
			refused, better := own.disks(space.Full)
			goes := better == raft.ServerID(voters[0].id) || better == raft.ServerID(voters[1].id)
			if goes != test.goes || better != "" && !goes {
				t.Errorf("%s: leadership would go to %q", name, better)
			}
			if refused == nil || !strings.Contains(refused.Message, leader.name) {
				t.Errorf("%s: writes are refused with %v", name, refused)
			}
		}
		says(well, voters...)
		says(full, worker)
		if refused, better := own.disks(space.Ample); refused != nil || better != "" {
			t.Errorf("where only a worker's disk is full: %v, leadership to %q", refused, better)
		}
	})
}

// TestWhatIsWrittenWithoutRoom tells what operators write from what keeps the group going and leads out.
func TestWhatIsWrittenWithoutRoom(t *testing.T) {
	var own term
	full := fsm.Errorf(httpd.CodeDiskFull, "full")
	for _, c := range []fsm.Command{
		&fsm.SettingsSet{}, &fsm.DiscoveryApply{}, &fsm.DiscoveryDelete{}, &fsm.DiscoveryRelease{}, &fsm.ClusterChange{},
		&fsm.TokenCreate{},
	} {
		own.full.Store(nil)
		if err := own.room(c); err != nil {
			t.Errorf("%T is refused where there is room: %v", c, err)
		}
		own.full.Store(full)
		if err := own.room(&fsm.OperatorAct{}, c); !errors.Is(err, full) {
			t.Errorf("%T is answered with: %v", c, err)
		}
	}
	for _, c := range []fsm.Command{
		&fsm.OperatorAct{}, &fsm.PeerSet{}, &fsm.PeerRemove{}, &fsm.LeaderChange{}, &fsm.RefreshComplete{}, &fsm.ClaimGrant{}, &fsm.EventsTrim{},
		&fsm.TokenDelete{}, &fsm.TokenBootstrap{}, // whoever lost a token may not wait for room
	} {
		if err := own.room(c); err != nil {
			t.Errorf("%T is refused: %v", c, err)
		}
	}
}
