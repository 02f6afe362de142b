package gossip_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
)

const (
	atA  = "10.0.0.1:8652"
	atB  = "10.0.0.2:8652"
	atC  = "10.0.0.3:8652"
	away = "10.0.9.9:8652"
)

// trio starts three peers that know one another.
func trio(t *testing.T, n *gossiptest.Network) (a, b, c *peer) {
	t.Helper()
	a, b, c = start(t, n, idA, atA, nil), start(t, n, idB, atB, nil), start(t, n, idC, atC, nil)
	a.keepJoining()
	b.keepJoining(atA)
	c.keepJoining(atA)
	a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
	b.sees(map[string]gossip.Status{idA: gossip.Alive, idC: gossip.Alive})
	c.sees(map[string]gossip.Status{idA: gossip.Alive, idB: gossip.Alive})
	return a, b, c
}

// bubble runs f in virtual time and lets its peers end inside it. On one
// processor: with more, a bubble's timers crash the race detector now and then
// (golang/go#78156).
func bubble(t *testing.T, f func(t *testing.T, n *gossiptest.Network)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) { f(t, gossiptest.NewNetwork()) })
}

func TestMembersSayWhatTheyWereTold(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, _, c := trio(t, n)
		want := []gossip.Member{member(idA), member(idB), member(idC)}
		for i, at := range []string{atA, atB, atC} {
			want[i].GossipAddr, want[i].Status = at, gossip.Alive
		}
		if diff := cmp.Diff(want, a.Members(), cmpopts.IgnoreFields(gossip.Member{}, "Since")); diff != "" {
			t.Error(diff)
		}
		err := c.Update(t.Context(), func(m *gossip.Member) {
			m.Group, m.HasLog, m.Worker, m.PeerAddr = groupOne, true, true, "10.0.0.3:9999"
			m.ID, m.Status, m.GossipAddr = idA, gossip.Failed, away
		})
		if err != nil {
			t.Fatal(err)
		}
		want[2].Group, want[2].HasLog, want[2].Worker, want[2].PeerAddr = groupOne, true, true, "10.0.0.3:9999"
		a.until("the update", func([]gossip.Member) bool {
			return cmp.Equal(want[2], a.find(idC), cmpopts.IgnoreFields(gossip.Member{}, "Since"))
		})
		if addr, ok := a.PeerAddr(idC); !ok || addr != "10.0.0.3:9999" {
			t.Errorf("peer address %q, %v", addr, ok)
		}
	})
}

func TestDeparturesAreToldApart(t *testing.T) {
	for intent, want := range map[gossip.Intent]gossip.Status{
		gossip.Staying: gossip.Failed, gossip.Stopping: gossip.Stopped, gossip.Leaving: gossip.Left,
	} {
		t.Run(string(want), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *gossiptest.Network) {
				a, b, c := trio(t, n)
				before := time.Now()
				if intent == gossip.Staying {
					c.crash()
				} else {
					c.stop(intent)
				}
				a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: want})
				b.sees(map[string]gossip.Status{idA: gossip.Alive, idC: want})
				if took := time.Since(before); took > 3*time.Second {
					t.Errorf("noticed after %v", took)
				}
				if since := a.find(idC).Since; since.Before(before) || since.After(time.Now()) {
					t.Errorf("since %v, departed after %v", since, before)
				}
				again := start(t, n, idC, atC, nil)
				again.keepJoining(atB)
				a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
				if m := a.find(idC); m.Intent != gossip.Staying {
					t.Errorf("came back with intent %q", m.Intent)
				}
			})
		})
	}
}

func TestDepartedAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, func(c *gossip.Config) { c.Forget = time.Hour })
		b := start(t, n, idB, atB, nil)
		b.keepJoining(atA)
		a.sees(map[string]gossip.Status{idB: gossip.Alive})
		b.crash()
		a.sees(map[string]gossip.Status{idB: gossip.Failed})
		<-time.After(59 * time.Minute)
		a.sees(map[string]gossip.Status{idB: gossip.Failed})
		<-time.After(3 * time.Minute)
		a.sees(nil)
	})
}

func TestReturnsAtAnotherAddress(t *testing.T) {
	t.Run("after a farewell", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *gossiptest.Network) {
			a, b, c := trio(t, n)
			c.stop(gossip.Stopping)
			a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Stopped})
			returns(t, n, a, b)
		})
	})
	t.Run("while believed alive", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *gossiptest.Network) {
			a, b, c := trio(t, n)
			<-time.After(time.Minute) // every first burst of news is over
			c.crash()
			returns(t, n, a, b)
		})
	})
}

func returns(t *testing.T, n *gossiptest.Network, a, b *peer) {
	t.Helper()
	before := time.Now()
	c := start(t, n, idC, away, nil)
	c.keepJoining(atA)
	for _, p := range []*peer{a, b} {
		p.until("the new address", func([]gossip.Member) bool {
			m := p.find(idC)
			return m.Status == gossip.Alive && m.GossipAddr == away
		})
	}
	c.sees(map[string]gossip.Status{idA: gossip.Alive, idB: gossip.Alive})
	if took := time.Since(before); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestOneIDAtTwoAddresses(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, _, _ := trio(t, n)
		twin := start(t, n, idC, away, nil)
		twin.keepJoining(atA)
		<-time.After(time.Minute)
		if m := a.find(idC); m.GossipAddr != atC {
			t.Errorf("the second took the id: %+v", m)
		}
		for name, p := range map[string]*peer{"bystander": a, "twin": twin} {
			if got := p.log.count("id is claimed at another address"); got != 1 {
				t.Errorf("%s logged %d times", name, got)
			}
		}
		if a.gauge("muster_gossip_conflicts_total") == 0 {
			t.Error("no conflict counted")
		}
	})
}

func TestHealsAfterLongCut(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, b, c := trio(t, n)
		n.Split([]string{atA, atB}, []string{atC})
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Failed})
		c.sees(map[string]gossip.Status{idA: gossip.Failed, idB: gossip.Failed})
		<-time.After(10 * time.Minute) // memberlist forgets its dead after 5 s
		n.Heal()
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
		b.sees(map[string]gossip.Status{idA: gossip.Alive, idC: gossip.Alive})
		c.sees(map[string]gossip.Status{idA: gossip.Alive, idB: gossip.Alive})
	})
}

func TestLossIsNotFailure(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, _, _ := trio(t, n)
		dropped := 0
		n.Lose(func(from, to string) bool { dropped++; return dropped%3 == 0 })
		changed := a.Changed()
		select {
		case <-changed:
			t.Errorf("members changed: %+v", a.Members())
		case <-time.After(10 * time.Minute):
		}
	})
}

func TestStrangersAreLeftOut(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, b, c := trio(t, n)
		in := func(group string) func(*gossip.Member) { return func(m *gossip.Member) { m.Group = group } }
		if err := c.Update(t.Context(), in(groupTwo)); err != nil {
			t.Fatal(err)
		}
		a.until("the stranger's group", func([]gossip.Member) bool { return a.find(idC).Group == groupTwo })
		if err := a.Update(t.Context(), in(groupOne)); err != nil {
			t.Fatal(err)
		}
		a.sees(map[string]gossip.Status{idB: gossip.Alive})
		if err := b.Update(t.Context(), in(groupOne)); err != nil {
			t.Fatal(err)
		}
		c.sees(nil)
		<-time.After(time.Minute)
		if addr, ok := a.PeerAddr(idC); ok {
			t.Errorf("stranger's address %s", addr)
		}
		if _, ok := a.Snapshot()[idC]; ok {
			t.Error("stranger in the snapshot")
		}
		if got := a.log.count("another raft group"); got != 1 {
			t.Errorf("logged %d times", got)
		}
		if got := a.gauge("muster_gossip_foreign_members"); got != 1 {
			t.Errorf("%v strangers counted", got)
		}
		if err := c.Update(t.Context(), in(groupOne)); err != nil {
			t.Fatal(err)
		}
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
	})
}
