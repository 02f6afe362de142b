package consul_test

import (
	"io"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/consul"
	httpd "github.com/musterhq/muster/http"
)

const (
	puts  = "PUT service/register"
	feeds = "PUT check/update/service:muster-01A"
	reads = "GET service/muster-01A"
	ends  = "PUT service/deregister/muster-01A"
)

func expect(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestCadence: Consul hears of a peer when something is new, three times within a ttl, and no more.
func TestCadence(t *testing.T) {
	during(t, func(t *testing.T, f *fake, p *peer) {
		pass(500 * time.Millisecond)
		expect(t, "at once", "1 "+puts+", 1 "+feeds, f.heard())
		pass(59 * time.Second)
		expect(t, "in a quiet minute", "11 "+feeds, f.heard())
		pass(time.Second)
		expect(t, "at its end", "1 "+reads+", 1 "+feeds, f.heard())
		p.change(func(i *consul.Instance) { i.Unready = "no leader is known" })
		pass(time.Second)
		expect(t, "after a change of readiness", "1 "+feeds, f.heard())
		p.change(func(i *consul.Instance) { i.Role = "leader" })
		pass(time.Second)
		expect(t, "after a change of role", "1 "+puts+", 1 "+feeds, f.heard())
		p.stop()
		pass(time.Minute)
		expect(t, "after its end", "", f.heard())
		p.Withdraw(t.Context())
		expect(t, "of its farewell", "1 "+ends, f.heard())
	})
}

// TestWhatOthersChange in Consul is put right within a minute, whatever of the entry it is.
func TestWhatOthersChange(t *testing.T) {
	for key, value := range map[string]any{
		"Tags": []string{"leader"}, "Port": 1, "Address": "10.0.0.9", "Service": "orders", "Meta": map[string]string{"peer_id": "01A"},
	} {
		during(t, func(t *testing.T, f *fake, _ *peer) {
			pass(500 * time.Millisecond)
			f.heard()
			f.set(func() { f.has[key] = value })
			pass(time.Minute)
			expect(t, key, "12 "+feeds+", 1 "+reads+", 1 "+puts, f.heard())
			f.mu.Lock()
			defer f.mu.Unlock()
			if cmp.Equal(f.has[key], value) {
				t.Errorf("%s is still %v", key, value)
			}
		})
	}
}

// TestConsulHasForgotten: it is told anew at once, which is no failure.
func TestConsulHasForgotten(t *testing.T) {
	during(t, func(t *testing.T, f *fake, p *peer) {
		pass(500 * time.Millisecond)
		f.heard()
		f.set(func() { f.has = nil })
		pass(5 * time.Second)
		expect(t, "by its answer to the check", "2 "+feeds+", 1 "+puts, f.heard())
		pass(59 * time.Second)
		f.heard()
		f.set(func() { f.has = nil })
		pass(time.Second)
		expect(t, "by its answer to a read", "1 "+reads+", 1 "+puts+", 1 "+feeds, f.heard())
		if n := value(t, p, "muster_consul_failures_total"); n != 0 {
			t.Errorf("%v failures are counted", n)
		}
	})
}

// TestNewTokenRegisters: Consul keeps the token that an entry came with.
func TestNewTokenRegisters(t *testing.T) {
	path := written(t, "old")
	during(t, func(t *testing.T, f *fake, _ *peer) {
		f.set(func() { f.token = "old" })
		pass(3 * time.Second)
		f.heard()
		f.set(func() { f.token = "new" })
		if err := os.WriteFile(path, []byte("new"), 0o600); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		expect(t, "by the new token, refused once", "3 "+feeds+", 1 "+puts, f.heard())
	}, func(_ *consul.Instance, c *consul.Config) { c.TokenFile = path })
}

// TestEntry is all that Consul is told of a peer.
func TestEntry(t *testing.T) {
	during(t, func(t *testing.T, f *fake, _ *peer) {
		pass(time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		want := map[string]any{
			"ID": "muster-01A", "Name": "muster-2", "Service": "muster-2", "Port": 443.0, "Tags": []any{"prod"}, "Meta": map[string]any{
				"peer_id": "01A", "name": "peer-a", "group": "muster", "scheme": "https", "version": "1.2.3",
				"peer_addr": "10.0.0.1:8651", "gossip_addr": "10.0.0.1:8652",
			},
			"Check": map[string]any{
				"CheckID": "service:muster-01A", "Name": "muster readiness", "TTL": "15s", "Status": "critical",
				"Notes":                          "Whether peer peer-a of group muster is ready to serve, as it says itself.",
				"DeregisterCriticalServiceAfter": "24h0m0s",
			},
		}
		got := maps.Clone(f.has)
		maps.DeleteFunc(got, func(_ string, v any) bool { return v == nil })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}, func(i *consul.Instance, c *consul.Config) {
		i.HTTPAddr, i.Secure, i.GroupID, i.Role, i.Unready = "0.0.0.0:443", true, "", "", "no leader is known"
		c.Service, c.Tags = "muster-2", []string{"prod"}
	})
}

// value is a metric's.
func value(t *testing.T, p *peer, name string) float64 {
	t.Helper()
	all, err := p.meters.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.GetName() == name {
			return m.GetMetric()[0].GetGauge().GetValue() + m.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Errorf("there is no %s", name)
	return 0
}

// TestConsulAway: it is tried again and again, with pauses, and told all when it is back; a peer that ends does not wait for it.
func TestConsulAway(t *testing.T) {
	during(t, func(t *testing.T, f *fake, p *peer) {
		pass(500 * time.Millisecond)
		f.heard()
		f.set(func() { f.mute = true })
		pass(10 * time.Second)
		s := p.Status()
		want := "feed the check of muster-01A: consul at consul:8500: "
		if s.Registered || s.Failures != 1 || !strings.HasPrefix(s.Error, want) || !strings.HasSuffix(s.Error, "no answer within 5s") {
			t.Errorf("it stands at %+v", s)
		}
		pass(time.Hour)
		if is, n := value(t, p, "muster_consul_registered"), value(t, p, "muster_consul_failures_total"); is != 0 || n != float64(p.Status().Failures) {
			t.Errorf("it is told as registered %v, with %v failures", is, n)
		}
		if n := p.Status().Failures; n < 235 || n > 250 { // a call of 5 s and a pause of 10
			t.Errorf("after an hour without answers %d tries have failed", n)
		}
		began := time.Now()
		f.heard()
		f.set(func() { f.mute = false })
		pass(15 * time.Second)
		expect(t, "when it is back", "1 "+puts+", 1 "+feeds, f.heard())
		if s := p.Status(); !s.Registered || s.Failures != 0 || s.Error != "" || s.At.Std().Before(began) {
			t.Errorf("it stands at %+v", s)
		}
		f.set(func() { f.mute = true })
		pass(5 * time.Second) // it has asked, and waits
		p.stop()
		if s := p.Status(); !s.Registered || s.Failures != 0 || value(t, p, "muster_consul_registered") != 1 {
			t.Errorf("it stands at %+v when it ends", s)
		}
		f.mu.Lock()
		said := f.said.String()
		f.mu.Unlock()
		if warned, good := strings.Count(said, "level=WARN"), strings.Count(said, "peer registered in Consul"); warned != 2 || good != 2 {
			t.Errorf("the log tells of two kinds of failure %d times, and of two successes %d times:\n%s", warned, good, said)
		}
		began = time.Now()
		p.Withdraw(t.Context())
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("the farewell took %s", took)
		}
	})
}

// TestConsulNeverThere: a peer that ends says once that it was not registered, and keeps no nil in what it shows.
func TestConsulNeverThere(t *testing.T) {
	during(t, func(t *testing.T, f *fake, p *peer) {
		pass(time.Minute)
		p.stop()
		p.Withdraw(t.Context())
		if s := p.Status(); s.Registered || s.At != 0 || s.Tags == nil || s.Failures == 0 {
			t.Errorf("it stands at %+v", s)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := strings.Count(f.said.String(), "level=WARN"); n != 1 {
			t.Errorf("it warns %d times\n%s", n, f.said.String())
		}
	}, func(_ *consul.Instance, c *consul.Config) { c.Address = "nowhere:8500" })
}

// TestNothingToTell: who has no address yet is not registered, and has nothing to take back.
func TestNothingToTell(t *testing.T) {
	during(t, func(t *testing.T, f *fake, p *peer) {
		pass(time.Minute)
		p.stop()
		p.Withdraw(t.Context())
		p.Fail(t.Context(), io.EOF)
		expect(t, "of a peer without an address", "", f.heard())
		want := httpd.Registration{Address: at, Service: "muster", Tags: []string{}}
		if diff := cmp.Diff(want, p.Status()); diff != "" {
			t.Errorf("how it stands (-want +got):\n%s", diff)
		}
	}, func(i *consul.Instance, _ *consul.Config) { i.GossipAddr = "" })
}
