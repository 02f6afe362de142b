package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// scene is a world in which a scenario is played.
type scene struct {
	*world
	*scenario
	rand    *rand.Rand // of choices that depend on how things went
	weather *weather
	referee *referee
	clients *clients
	members []*member
	cuts    map[[2]*member]int // how many faults cut a link now
	fleet   *fleet
	under   []*underWay
	hits    map[string]int
	heal    time.Time
}

// underWay is a fault that has begun and not ended.
type underWay struct {
	kind string
	at   time.Time // of its end
	tick func()    // each tickEvery while it lasts
	end  func()
}

// tickEvery is how often the scene looks after its peers and faults.
const tickEvery = 100 * time.Millisecond

func (s *scene) hosts() (out []string) {
	for _, m := range s.members {
		if !m.gone {
			out = append(out, m.host)
		}
	}
	return out
}

// between is a random span.
func (s *scene) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.rand.Int64N(int64(most-least)))
}

// bury keeps a lost machine apart from all others until its life is over.
func (s *scene) bury(m *member) {
	others := slices.Clone(s.members)
	s.apart(others, m)
	u := &underWay{kind: dying, at: time.Now().Add(time.Hour)}
	u.tick = func() {
		if m.stop == nil {
			u.at = time.Now()
		}
	}
	u.end = func() { s.together(others, m) }
	s.under = append(s.under, u)
}

// dying is a machine that is lost and has not ended yet.
const dying = "dying"

// apart cuts a member from others, both ways.
func (s *scene) apart(others []*member, m *member) {
	for _, o := range others {
		if o != m {
			s.cut(m, o)
			s.cut(o, m)
		}
	}
}

// together undoes apart.
func (s *scene) together(others []*member, m *member) {
	for _, o := range others {
		if o != m {
			s.mend(m, o)
			s.mend(o, m)
		}
	}
}

// cut cuts what a member dials to another, until as many mends.
func (s *scene) cut(from, to *member) {
	k := [2]*member{from, to}
	if s.cuts[k]++; s.cuts[k] == 1 {
		s.net.Cut(from.host, to.host)
		s.gossip.Cut(from.host+":8652", to.host+":8652")
	}
}

func (s *scene) mend(from, to *member) {
	k := [2]*member{from, to}
	if s.cuts[k]--; s.cuts[k] == 0 {
		s.net.Mend(from.host, to.host)
		s.gossip.Mend(from.host+":8652", to.host+":8652")
	}
}

// alive are the members with a life.
func (s *scene) alive() (out []*member) {
	for _, m := range s.members {
		if m.stop != nil && !m.ending && !m.gone {
			out = append(out, m)
		}
	}
	return out
}

// leading is who leads now, nil when nobody does.
func (s *scene) leading() *member {
	for _, m := range s.alive() {
		if m.term.Load() != nil && m.raft.State() == raft.Leader {
			return m
		}
	}
	return nil
}

// some is the leader, or with follower somebody else; nil when there is none.
func (s *scene) some(follower bool) *member {
	leader, all := s.leading(), s.alive()
	if !follower {
		return leader
	}
	all = slices.DeleteFunc(all, func(m *member) bool { return m == leader })
	if len(all) == 0 {
		return nil
	}
	return all[s.rand.IntN(len(all))]
}

// look looks after lives that have ended and are to begin, and after faults.
func (s *scene) look() {
	for _, m := range s.members {
		if m.stop != nil {
			select {
			case err := <-m.done:
				m.over(err)
			default:
			}
		}
		if m.stop == nil && !m.gone && !m.disk.hanging() && !time.Now().Before(m.back) {
			m.begin()
		}
	}
	now := time.Now()
	for _, u := range slices.Clone(s.under) {
		if u.tick != nil {
			u.tick()
		}
		if !now.Before(u.at) {
			s.finish(u)
		}
	}
}

func (s *scene) finish(u *underWay) {
	s.under = slices.DeleteFunc(s.under, func(o *underWay) bool { return o == u })
	u.end()
}

// until goes on until something is so, at most so long.
func (s *scene) goesUntil(most time.Duration, is func() bool) bool {
	for range most / tickEvery {
		if is() {
			return true
		}
		s.pass(tickEvery)
		s.look()
	}
	return is()
}

// play plays the scenario: founding, faults, healing, agreement.
func (s *scene) play(t *testing.T) {
	for i := range s.Peers {
		s.newMember(fmt.Sprintf("peer-%c", 'a'+i), false)
	}
	began := time.Now()
	s.look()
	if !s.goesUntil(time.Minute, func() bool { return s.leading() != nil && rows(s.Peers)(s.leading().machine.Read()) }) {
		t.Fatal("no group within a minute")
	}
	s.fleet.found()
	ctx, stop := context.WithCancel(t.Context())
	wait := s.clients.start(ctx)
	defer func() {
		stop()
		wait()
		s.weather.late.Wait()
	}()
	for _, f := range s.Faults {
		s.goesUntil(f.At-time.Since(began), func() bool { return false })
		s.strike(f)
		s.fleet.move()
	}
	s.goesUntil(calmFrom-time.Since(began), func() bool { return false })
	s.calm()
	s.verdict(t)
	s.goesUntil(length-time.Since(began), func() bool { return false })
}

// strike begins a fault. Where it cannot, since nobody leads or too few are there, it is tried for a while.
func (s *scene) strike(f fault) {
	begin := kinds()[f.Kind].begin
	s.goesUntil(5*time.Second, func() bool {
		u := begin(s, f)
		if u == nil {
			return false
		}
		u.kind, u.at = f.Kind, time.Now().Add(f.For)
		s.under = append(s.under, u)
		return true
	})
}

// hit counts that a fault had its effect.
func (s *scene) hit(kind string) { s.hits[kind]++ }

// calm ends all faults, and waits until all lives have begun again.
func (s *scene) calm() {
	for _, u := range slices.Clone(s.under) {
		if u.kind != dying {
			s.finish(u)
		}
	}
	s.goesUntil(time.Minute, func() bool {
		return len(s.under) == 0 && !slices.ContainsFunc(s.members, func(m *member) bool {
			return !m.gone && (m.stop == nil || m.ending)
		})
	})
	s.heal = time.Now()
	s.clients.since(s.heal)
}
