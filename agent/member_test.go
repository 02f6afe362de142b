package agent

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/replica"
)

// member is a peer with its disk, over all its lives.
type member struct {
	*peer
	scene   *scene
	disk    *disk
	worker  bool
	gone    bool      // it does not come back: it left, or its disk is lost
	leaving bool      // it was asked to leave, and may have
	ending  bool      // this life was told to end
	back    time.Time // when it starts again
	struck  int       // of its disk, when this life began
	valve   valve
	lives   int
}

// newMember adds a peer, whose first life the scene begins.
func (s *scene) newMember(name string, worker bool) *member {
	p := s.add(name)
	m := &member{
		peer: p, scene: s, worker: worker,
		disk: &disk{rand: rand.New(rand.NewPCG(s.Seed, uint64(len(s.members))+100))},
	}
	p.change, p.made = m.configure, m.valve.into
	s.members = append(s.members, m)
	s.clients.reach(s.hosts())
	return m
}

// configure gives a life the real stores on the member's disk, short logs, and a wire in the weather.
func (m *member) configure(c *Config) {
	lan := gossip.LAN()
	c.Worker, c.Seams.GossipTiming, c.RaftMultiplier = m.worker, &lan, 2 // heartbeats are a good part of what a scenario costs
	switch os.Getenv("MUSTER_TEST_LOG") {
	case "":
		c.Log = slog.New(slog.DiscardHandler)
	case "all":
		c.Log = slog.New(slog.NewTextHandler(&m.said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c.Seams.Logs, c.Seams.Stable, c.Seams.Snapshots, c.Seams.BeforeCommit = nil, nil, nil, m.disk.commit
	c.Seams.Raft = func(p *consensus.Parts) {
		s := m.scene
		p.Config.TrailingLogs, p.Config.SnapshotThreshold, p.Config.SnapshotInterval = 40, 60, 5*time.Second
		p.FSM = &refereed{p.FSM.(*replica.Machine), s.referee, m.name}
		p.Snapshots = &shelf{p.Snapshots, m.disk}
		p.Transport = &wire{p.Transport.(*consensus.Transport), s.weather, p.Config.LocalID}
	}
}

// begin starts a life. What refuses to start now is tried again.
func (m *member) begin() {
	m.lives++
	m.struck = m.disk.count(func(d *disk) int { return d.struck })
	m.ending = false
	first := m.lives == 1 && len(m.scene.members) <= m.scene.Peers
	err := m.tryStart(func(c *Config) {
		if first {
			c.BootstrapExpect = m.scene.Peers
		}
	})
	if err == nil {
		return
	}
	m.stop = nil
	m.back = time.Now().Add(2 * time.Second)
	if m.disk.failing() == nil && m.disk.count(func(d *disk) int { return d.struck }) == m.struck {
		m.w.t.Errorf("%s does not start: %v", m.name, err)
		m.gone = true
	}
}

// over takes the end of a life.
func (m *member) over(err error) {
	m.stop()
	m.stop = nil
	m.disk.release()
	if errors.Is(err, boltstore.ErrStalled) && m.store != nil {
		m.w.pass(time.Second)
		_ = m.store.Close() // the write that hung has ended, and with it what kept the file
	}
	m.disk.change(func(d *disk) { d.dead = false })
	m.back = time.Now().Add(m.scene.between(500*time.Millisecond, 4*time.Second))
	failed := m.disk.count(func(d *disk) int { return d.struck }) > m.struck
	if m.leaving && (err == nil && !m.ending || errors.Is(err, errRemoved)) {
		m.gone = true
	}
	switch {
	case errors.Is(err, errRemoved) && m.gone, failed && err != nil, m.ending:
	case err == nil && m.gone:
	default:
		m.w.t.Errorf("%s ended by itself: %v", m.name, err)
	}
}

// kill ends a life as a lost machine does: nothing it does reaches its disk or anybody from now on.
func (m *member) kill() {
	m.disk.change(func(d *disk) { d.dead = true })
	m.disk.release()
	m.ending = true
	m.stop()
	m.scene.bury(m)
}
