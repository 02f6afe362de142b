package agent

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// Faults of disks and machines, and peers that come and go.

// diskFails has a disk fail every write. Whoever writes must end, at once.
func diskFails(with error) func(*scene, fault) *underWay {
	return func(s *scene, f fault) *underWay {
		m := s.some(s.rand.IntN(2) == 0)
		if m == nil || m.disk.failing() != nil {
			return nil
		}
		m.disk.change(func(d *disk) { d.fails, d.since = with, time.Time{} })
		return s.damage(f, m, time.Second, func() { m.disk.change(func(d *disk) { d.fails = nil }) })
	}
}

// diskHangs has the writes of a disk hang. Whoever writes must end once a write has taken its ten seconds.
func diskHangs(s *scene, f fault) *underWay {
	m := s.some(s.rand.IntN(2) == 0)
	if m == nil || m.disk.hanging() {
		return nil
	}
	m.disk.hang()
	return s.damage(f, m, 11*time.Second, m.disk.release)
}

// damage ends a fault of a disk, which must have ended the life that met it, that long after the first write that did.
func (s *scene) damage(f fault, m *member, within time.Duration, end func()) *underWay {
	life := m.lives
	before := m.disk.count(func(d *disk) int { return d.struck })
	return &underWay{end: func() {
		end()
		if m.disk.count(func(d *disk) int { return d.struck }) == before {
			return
		}
		s.hit(f.Kind)
		met := false
		m.disk.change(func(d *disk) { met = time.Since(d.since) > within })
		if met && m.lives == life && m.stop != nil && !m.ending {
			select {
			case <-m.Agent.ending.Done():
			default:
				s.t.Errorf("%s goes on after a write that its disk did not take (%s)", m.name, f.Kind)
			}
		}
	}}
}

func diskSlow(s *scene, f fault) *underWay {
	m := s.some(s.rand.IntN(2) == 0)
	if m == nil {
		return nil
	}
	m.disk.change(func(d *disk) { d.slow = 150 * time.Millisecond })
	return s.span(f, func() { m.disk.change(func(d *disk) { d.slow = 0 }) })
}

func snapshotSlow(s *scene, f fault) *underWay {
	for _, m := range s.members {
		m.disk.change(func(d *disk) { d.slowly = 2 * time.Second })
	}
	return s.span(f, func() {
		for _, m := range s.members {
			m.disk.change(func(d *disk) { d.slowly = 0 })
		}
	})
}

func crash(follower bool) func(*scene, fault) *underWay {
	return func(s *scene, f fault) *underWay {
		m := s.some(follower)
		if m == nil {
			return nil
		}
		m.kill()
		return s.done(f)
	}
}

func crashAll(s *scene, f fault) *underWay {
	for _, m := range s.alive() {
		m.kill()
	}
	return s.done(f)
}

func stopOne(s *scene, f fault) *underWay {
	m := s.some(s.rand.IntN(2) == 0)
	if m == nil {
		return nil
	}
	m.ending = true
	m.stop()
	return s.done(f)
}

func moveLeadership(s *scene, f fault) *underWay {
	leader := s.leading()
	if leader == nil || leader.raft.LeadershipTransfer().Error() != nil {
		return nil
	}
	return s.done(f)
}

// whole says whether every server of the group is alive, and as many vote as shall: then one may go.
func (s *scene) whole() *member {
	leader := s.leading()
	if leader == nil {
		return nil
	}
	servers, err := leader.configuration()
	if err != nil {
		return nil
	}
	ids, voters := map[string]bool{}, 0
	for _, m := range s.alive() {
		ids[m.id] = true
	}
	for _, server := range servers {
		if !ids[string(server.ID)] {
			return nil
		}
		if server.Suffrage == raft.Voter {
			voters++
		}
	}
	if voters < s.Peers || len(servers) != len(ids) {
		return nil
	}
	return leader
}

func joinOne(s *scene, f fault) *underWay {
	if s.whole() == nil || len(s.alive()) >= s.Peers+2 {
		return nil
	}
	s.newMember("peer-"+string(rune('a'+len(s.members))), s.rand.IntN(2) == 0)
	return s.done(f)
}

func leaveOne(s *scene, f fault) *underWay {
	if s.whole() == nil || len(s.alive()) <= s.Peers {
		return nil
	}
	m := s.some(true)
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	m.leaving = true // whatever comes back, it may have gone
	if err := (lifeFace{m.Agent}).Leave(ctx); err != nil {
		return nil
	}
	m.gone = true
	s.clients.reach(s.hosts())
	return s.done(f)
}

// replaceOne loses a machine with its disk: another one of its name takes its place.
func replaceOne(s *scene, f fault) *underWay {
	if s.whole() == nil {
		return nil
	}
	m := s.some(true)
	if m == nil {
		return nil
	}
	m.kill()
	m.gone = true
	s.newMember(m.name, m.worker)
	return s.done(f)
}
