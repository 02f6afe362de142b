package e2e_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/scripts/rig"
)

// TestUpgrade upgrades groups of three, peer by peer in every order, some by stopping and some by killing, while a client
// writes. In between peers of both releases lead. The group must work all the while and write nothing that the older release
// does not know before all three run the later one; nobody may be told otherwise than anybody else.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := w.nextRelease()
	f := w.fleet(4, 2)
	for i, order := range [][]int{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}} {
		t.Run(fmt.Sprintf("order %v of leader and followers", order), func(t *testing.T) {
			t.Parallel()
			u := newUpgrade(t, f)
			u.all(order, upgradeBy{next: next, kill: i%2 == 1, back: i == 0})
			u.compare()
			u.oldStops()
		})
	}
}

// nowLevel is the feature level of this release; that of the next one is one more.
const nowLevel = fsm.FeatureLevel

// upgrade is a group that is upgraded while a client writes.
type upgrade struct {
	*world
	f       *fleet
	group   *rig.Group
	streams map[*rig.Peer]*stream
	acked   atomic.Int64
	stop    context.CancelFunc
	done    chan struct{}
}

type upgradeBy struct {
	next string // program
	kill bool   // instead of stopping
	back bool   // the first one once more
}

func newUpgrade(t *testing.T, f *fleet) *upgrade {
	t.Helper()
	u := &upgrade{world: newWorld(t), f: f, streams: map[*rig.Peer]*stream{}, done: make(chan struct{})}
	u.group = u.world.group()
	for _, p := range u.group.Peers {
		u.streams[p] = u.follow(p)
	}
	u.apply(u.group.Peers[0], "fleet", f.discovery())
	u.allHealthy(u.group.Peers[0], f.clusters)
	u.reaches(nowLevel)
	var ctx context.Context
	ctx, u.stop = context.WithCancel(t.Context())
	go u.write(ctx)
	t.Cleanup(func() {
		u.stop()
		<-u.done
	})
	return u
}

// write sets 1, 2, 3…, each through whichever peer takes it. A write that has begun when it is told to stop is waited for: given
// up, it would come into the log while all are thought to stand still.
func (u *upgrade) write(ctx context.Context) {
	defer close(u.done)
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for n, i := int64(1), 0; ctx.Err() == nil; i++ {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		_, err := u.group.Peers[i%3].API.PatchCluster(one, u.f.cluster(0), object{"vars": object{"n": n}}, nil)
		cancel()
		if err == nil {
			u.acked.Store(n)
			n++
		}
		select {
		case <-ctx.Done():
		case <-pace.C:
		}
	}
}

// works waits for five more writes, and then looks at the feature level of every running peer.
func (u *upgrade) works(what string, level uint32) {
	u.Helper()
	enough := u.acked.Load() + 5
	u.until("writes to go on after "+what, func(context.Context) error {
		if n := u.acked.Load(); n < enough {
			return fmt.Errorf("%d writes were acknowledged, %d are wanted", n, enough)
		}
		return nil
	})
	for _, p := range u.group.Running() {
		self, err := p.API.Self(u.soon())
		u.must(err)
		if self.FeatureLevel != level {
			u.Errorf("after %s %s is at feature level %d, not %d", what, p.Name, self.FeatureLevel, level)
		}
	}
}

// reaches waits until all peers are at a feature level.
func (u *upgrade) reaches(level uint32) {
	u.Helper()
	u.until("the feature level to be raised", func(ctx context.Context) error {
		for _, p := range u.group.Peers {
			if self, err := p.API.Self(ctx); err != nil || self.FeatureLevel != level {
				return fmt.Errorf("%s is at %d, %w", p.Name, self.FeatureLevel, err)
			}
		}
		return nil
	})
}

// end ends a peer's process.
func (u *upgrade) end(p *rig.Peer, kill bool) {
	u.Helper()
	if kill {
		p.Kill()
		return
	}
	u.must(p.Stop())
}

// runs starts a peer that was ended, with a program.
func (u *upgrade) runs(p *rig.Peer, program string) {
	u.Helper()
	p.Bin = program
	u.must(u.group.Enter(p))
	u.must(u.group.Ready(u.soon()))
}

// leads moves leadership to a peer.
func (u *upgrade) leads(p *rig.Peer) {
	u.Helper()
	self, err := p.API.Self(u.soon())
	u.must(err)
	u.until(p.Name+" to lead", func(ctx context.Context) error {
		leader, err := u.group.Leader(ctx)
		if err != nil || leader == p {
			return err
		}
		if err := leader.API.TransferLeader(ctx, self.Member.ID); err != nil {
			return err
		}
		return errors.New("leadership is on its way")
	})
}

// all upgrades the peers in an order of the leader and its followers.
func (u *upgrade) all(order []int, by upgradeBy) {
	u.Helper()
	peers := []*rig.Peer{u.leader(u.group)}
	for _, p := range u.group.Peers {
		if p != peers[0] {
			peers = append(peers, p)
		}
	}
	first, second, last := peers[order[0]], peers[order[1]], peers[order[2]]
	u.works("the start", nowLevel)
	u.end(first, by.kill)
	u.runs(first, by.next)
	u.leads(first)
	u.works("a first peer that leads was upgraded", nowLevel)
	u.leads(last)
	u.works("an old peer leads one that was upgraded", nowLevel)
	u.end(second, by.kill)
	u.runs(second, by.next)
	u.works("two were upgraded", nowLevel)
	if by.back {
		u.end(first, by.kill)
		u.runs(first, program)
		u.works("one was taken back", nowLevel)
		u.end(first, by.kill)
		u.runs(first, by.next)
	}
	u.leads(second)
	u.end(last, by.kill)
	u.laterRefresh(second, u.f.cluster(1), 1)
	u.works("the last old peer is away", nowLevel)
	u.runs(last, by.next)
	u.reaches(nowLevel + 1)
	u.leads(first) // a term begins with the leader's row, which is of the new version now
	u.works("all were upgraded", nowLevel+1)
}

// compare checks that each write which was acknowledged is one event, that all followers were told the same and all peers show
// it, and that the disks agree up to the entry that raised the level, before which there is nothing new and after which there is.
func (u *upgrade) compare() {
	u.Helper()
	u.stop()
	<-u.done
	u.agreed(u.streams)
	told := map[int64]int{}
	for _, e := range u.streams[u.group.Peers[0]].all() {
		var before, after struct{ Vars map[string]int64 }
		if e.Cluster != u.f.cluster(0) || json.Unmarshal(e.After, &after) != nil || len(after.Vars) == 0 {
			continue
		}
		_ = json.Unmarshal(e.Before, &before) // there is none of the first
		if n := after.Vars["n"]; n != before.Vars["n"] {
			told[n]++
		}
	}
	acked := u.acked.Load()
	for n := range acked {
		if told[n+1] != 1 {
			u.Errorf("write %d of %d that were acknowledged is %d events", n+1, acked, told[n+1])
		}
	}
	var disks []*rig.Disk
	raised := uint64(0)
	for _, p := range u.group.Peers {
		p.Kill() // a peer that stops may keep a snapshot only, of a state that this program does not read
		d, err := rig.OpenDisk(p.Name, p.Data)
		u.must(err)
		u.Cleanup(func() { _ = d.Close() })
		disks = append(disks, d)
		level, set := u.firsts(d)
		if level == 0 || set <= level || raised != 0 && level != raised {
			u.Errorf("%s: entry %d raises the level, entry %d has the first new command", p.Name, level, set)
		}
		raised = level
	}
	wrong, err := rig.ReplayAll(disks, raised)
	u.must(err)
	if len(wrong) > 0 {
		u.Error(strings.Join(wrong, "\n"))
	}
	u.Logf("%d writes; level raised in entry %d of %d", acked, raised, disks[0].Last)
}

// firsts are the entries that raise the feature level above this release's, and that have the first command of the version that
// the later release adds.
func (u *upgrade) firsts(d *rig.Disk) (raise, newer uint64) {
	u.Helper()
	const featureRaise, peerSet, peerSetNow = 8, 3, 2
	u.must(d.Entries(1, d.Last, func(index uint64, entry []byte) error {
		_, n := binary.Uvarint(entry[1:])
		for frames := entry[1+n:]; len(frames) > 0; {
			var head [3]uint64 // kind, version, size
			for i := range head {
				v, n := binary.Uvarint(frames)
				if n <= 0 {
					return errors.New("the head of a command does not decode")
				}
				head[i], frames = v, frames[n:]
			}
			if body := frames[:head[2]]; head[0] == featureRaise && raise == 0 && body[len(body)-1] > nowLevel {
				raise = index
			}
			if head[0] == peerSet && head[1] > peerSetNow && newer == 0 {
				newer = index
			}
			frames = frames[head[2]:]
		}
		return nil
	}))
	return raise, newer
}

// oldStops starts the older release once more on what the later one has written: it ends at once, and says why.
func (u *upgrade) oldStops() {
	u.Helper()
	p := u.group.Peers[0]
	p.Bin = program
	u.must(os.Truncate(p.Log, 0))
	u.must(u.group.Enter(p))
	var ended *exec.ExitError
	if err := p.Err(); !errors.As(err, &ended) || ended.ExitCode() != 78 {
		u.Errorf("the older release ended with: %v", err)
	}
	said, err := os.ReadFile(p.Log)
	u.must(err)
	for _, word := range []string{fmt.Sprintf("feature level %d", nowLevel+1), "muster " + nextVersion, "this is muster dev", "start muster " + nextVersion + " or later"} {
		if !strings.Contains(string(said), word) {
			u.Errorf("the older release does not say %q:\n%s", word, said)
		}
	}
}
