package gossip_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
)

// joins is how many addresses were asked to join with a result.
func (p *peer) joins(result string) float64 {
	p.t.Helper()
	families, err := p.reg.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "muster_gossip_joins_total" && m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// roll is a finder that remembers when it was asked.
type roll struct {
	mu    sync.Mutex
	says  []string
	asked []time.Time
}

func (r *roll) find(context.Context, *url.URL) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, time.Now())
	if len(r.says) == 0 {
		return nil, errors.New("the roll is empty")
	}
	return r.says, nil
}

func (r *roll) say(addrs ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.says = addrs
}

// pauses are those between the tries since the last call.
func (r *roll) pauses() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []time.Duration
	for i := 1; i < len(r.asked); i++ {
		out = append(out, r.asked[i].Sub(r.asked[i-1]))
	}
	r.asked = nil
	return out
}

func (r *roll) finders() map[string]gossip.Finder { return map[string]gossip.Finder{"roll": r.find} }

// TestLookupsAreBounded: a name that stands for a crowd does not have this peer ask all of it, nor one address twice.
func TestLookupsAreBounded(t *testing.T) {
	names, crowd := &book{hosts: map[string][]string{"also-b": {"10.0.0.2"}}}, &roll{}
	for i := range 20 {
		names.hosts["many"] = append(names.hosts["many"], fmt.Sprintf("10.1.0.%d", i+1))
	}
	for i := range 70 {
		crowd.says = append(crowd.says, fmt.Sprintf("10.2.0.%d:8652", i+1))
	}
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, func(c *gossip.Config) { c.Resolver, c.Finders = names, crowd.finders() })
		start(t, n, idB, atB, nil)
		for _, c := range []struct {
			targets          []string
			answered, failed float64
		}{{[]string{"many"}, 0, 16}, {[]string{"roll://all"}, 0, 64}, {[]string{"also-b", atB, "10.0.0.2"}, 1, 0}} {
			answered, failed := a.joins("answered"), a.joins("failed")
			_, _ = a.Join(t.Context(), c.targets)
			if got := a.joins("answered") - answered; got != c.answered {
				t.Errorf("%v: %v answered, not %v", c.targets, got, c.answered)
			}
			if got := a.joins("failed") - failed; got != c.failed {
				t.Errorf("%v: %v were asked in vain, not %v", c.targets, got, c.failed)
			}
		}
		_, _ = a.Join(t.Context(), []string{"nowhere", atB, "nobody"})
		if got := a.joins("not_found"); got != 2 {
			t.Errorf("%v lookups found nothing, not 2", got)
		}
	})
}

// records are answers to each question for SRV records.
type records struct {
	book
	all []*net.SRV
	err error
}

func (r *records) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", r.all, r.err
}

// TestWhatResolversSay: names with the dot that ends them, addresses of IPv4 in IPv6, records of which some are bad.
func TestWhatResolversSay(t *testing.T) {
	names := &records{
		book: book{hosts: map[string][]string{"b.test": {"::ffff:10.0.0.2"}}},
		all:  []*net.SRV{{Target: "b.test.", Port: 8652}, {Target: "gone.test.", Port: 8652}},
		err:  errors.New("one record is bad"),
	}
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, func(c *gossip.Config) { c.Resolver = names })
		start(t, n, idB, atB, nil)
		if got, err := a.Join(t.Context(), []string{"b.test"}); got != 1 || err != nil {
			t.Errorf("b.test: %d answered, %v", got, err)
		}
		got, err := a.Join(t.Context(), []string{"_muster._tcp.test"})
		if got != 1 || err == nil || !strings.Contains(err.Error(), "one record is bad") || !strings.Contains(err.Error(), "lookup gone.test") {
			t.Errorf("_muster._tcp.test: %d answered, %v", got, err)
		}
	})
}

// TestLookupsGoSideBySide: all that never answer are given up together.
func TestLookupsGoSideBySide(t *testing.T) {
	mute := map[string]gossip.Finder{"mute": func(ctx context.Context, _ *url.URL) ([]string, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, func(c *gossip.Config) { c.Finders = mute })
		began := time.Now()
		got, err := a.Join(t.Context(), []string{"mute://1", "mute://2", "mute://3"})
		if took := time.Since(began); got != 0 || err == nil || took != 5*time.Second {
			t.Errorf("%d answered after %s, %v", got, took, err)
		}
	})
}

// TestPausesOfJoining double while a peer is alone, are long in company, and begin anew when it is alone again; of each it is
// told once.
func TestPausesOfJoining(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		r, timing := &roll{}, gossip.Loopback()
		me := &book{hosts: map[string][]string{"me": {"::ffff:10.0.0.1"}}}
		a := start(t, n, idA, atA, func(c *gossip.Config) { c.Finders, c.Resolver = r.finders(), me })
		a.keepJoining("roll://all", "me")
		alone := func(pauses []time.Duration) {
			t.Helper()
			for i, longest := 0, timing.RejoinMin; i < len(pauses); i++ {
				if pauses[i] < longest/2 || pauses[i] > longest {
					t.Errorf("pause %d is %s, not between %s and %s", i, pauses[i], longest/2, longest)
				}
				longest = min(2*longest, timing.RejoinMax)
			}
		}
		<-time.After(time.Minute)
		alone(r.pauses())
		b := start(t, n, idB, atB, nil)
		r.say(atB)
		a.sees(map[string]gossip.Status{idB: gossip.Alive})
		<-time.After(timing.RejoinMax)
		r.pauses()
		<-time.After(time.Minute)
		for i, p := range r.pauses() {
			if p < timing.RejoinMax/2 || p > timing.RejoinMax {
				t.Errorf("in company pause %d is %s", i, p)
			}
		}
		if got := a.joins("answered"); got != 1 {
			t.Errorf("who is met already was asked again, %v times in all", got)
		}
		b.crash()
		a.sees(map[string]gossip.Status{idB: gossip.Failed})
		r.pauses()
		r.say()
		<-time.After(timing.RejoinMax + timing.RejoinMin) // the last long pause is over, and a short one
		if got := r.pauses(); len(got) == 0 || got[0] > timing.RejoinMin {
			t.Errorf("alone again it pauses for %v", got)
		}
		for text, want := range map[string]int{
			"no other peer answers, trying on": 2, "met other peers": 1, "nobody can be found by this address": 0,
		} {
			if got := a.log.count(text); got != want {
				t.Errorf("%q is logged %d times, not %d\n%s", text, got, want, a.log.buf.String())
			}
		}
	})
}

// TestRememberedAreBounded: of many that are remembered some are tried at a time.
func TestRememberedAreBounded(t *testing.T) {
	known := map[string]gossip.Address{}
	for i := range 100 {
		known[fmt.Sprintf("01J0000000000000000000%04d", i)] = gossip.Address{Gossip: fmt.Sprintf("10.3.0.%d:8652", i+1)}
	}
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, func(c *gossip.Config) { c.Remembered = known })
		a.keepJoining()
		<-time.After(time.Millisecond)
		if got := a.joins("failed"); got != 64 {
			t.Errorf("%v were tried at once, not 64", got)
		}
	})
}

// TestNobodyToMeet is told by nobody: a peer that was given no one waits to be met.
func TestNobodyToMeet(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, nil)
		a.keepJoining()
		<-time.After(time.Minute)
		if got := a.log.count("no other peer answers"); got != 0 {
			t.Errorf("it is logged %d times that nobody answers", got)
		}
	})
}
