package agent

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// verdict judges the group after its faults: it is writable within 10 s, everything agrees with the fleet, with itself and
// with what clients were told.
func (s *scene) verdict(t *testing.T) {
	s.goesUntil(time.Minute, func() bool { return !s.clients.acknowledged(s.heal).IsZero() })
	if first := s.clients.acknowledged(s.heal); first.IsZero() || first.Sub(s.heal) > 10*time.Second {
		t.Errorf("healed at %s, the first write was acknowledged at %s", s.heal.Format(time.TimeOnly), first.Format(time.TimeOnly))
	} else {
		s.writable = first.Sub(s.heal)
	}
	s.fleet.recover()
	var why string
	if !s.goesUntil(3*time.Minute, func() bool { why = s.unsettled(); return why == "" }) {
		t.Errorf("three minutes after healing: %s", why)
	}
	s.agree()
	s.allTold(t)
	s.claims(t)
	s.referee.mu.Lock()
	defer s.referee.mu.Unlock()
	s.weather.mu.Lock()
	defer s.weather.mu.Unlock()
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	for _, rivals := range s.weather.rivals {
		t.Errorf("two leaders of one term: %s", rivals)
	}
	for _, f := range slices.Concat(s.referee.faults, s.clients.faults) {
		t.Error(f)
	}
}

// unsettled says what is not as it should be yet, empty when all is.
func (s *scene) unsettled() string {
	leader := s.leading()
	if leader == nil {
		return "nobody leads"
	}
	since := leader.machine.Read().Meta().Time - fsm.Time(time.Since(s.heal).Milliseconds())
	index := leader.index()
	for _, m := range s.members {
		if m.gone {
			continue
		}
		r := m.machine.Read()
		if r.Meta().Index+maxBehind < index {
			return fmt.Sprintf("%s is at entry %d, the leader at %d", m.name, r.Meta().Index, index)
		}
		if why := s.fleet.wrong(r); why != "" {
			return m.name + ": " + why
		}
		if !observed(since)(r) {
			return m.name + ": a cluster was not refreshed"
		}
	}
	return ""
}

// allTold checks that every acknowledged write is in the log, and that followers come to its end.
func (s *scene) allTold(t *testing.T) {
	acked := s.clients.writes()
	s.acked = len(acked)
	leader := s.world.leader()
	written, last := map[string]bool{}, uint64(0)
	for e := range leader.machine.Read().Events(0) {
		if p, ok := e.After.(*fsm.SettingsPart); ok && e.Cluster == onCluster {
			for name, n := range p.Labels {
				written[name+"="+n] = true
			}
		}
		last = e.Seq
	}
	for _, w := range acked {
		if !written[w] {
			t.Errorf("write %s was acknowledged and is not in the log", w)
		}
	}
	if !s.goesUntil(time.Minute, func() bool { return s.clients.least() >= last }) {
		t.Errorf("a follower is at event %d of %d", s.clients.least(), last)
	}
}

// writes are the acknowledged ones.
func (c *clients) writes() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, r := range c.registers {
		for _, n := range r.acked {
			out = append(out, name+"="+strconv.Itoa(n))
		}
	}
	return out
}

// least is how far the followers are.
func (c *clients) least() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := ^uint64(0)
	for _, n := range c.followed {
		least = min(least, n)
	}
	return least
}

// claims checks that no claim has been open for long.
func (s *scene) claims(t *testing.T) {
	r := s.world.leader().machine.Read()
	for c := range r.Claims() {
		if open := r.Meta().Time.Sub(c.Granted); open > c.TTL+fsm.Minute {
			t.Errorf("the claim %v has been open for %s", c.Ticket(), open)
		}
	}
}
