package gossip_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
)

func plain() gossip.Config {
	return gossip.Config{
		Self: member(idA), Bind: "127.0.0.1:0",
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	}
}

func configured(t *testing.T, change func(*gossip.Config)) *gossip.Gossip {
	t.Helper()
	c := plain()
	change(&c)
	g, err := gossip.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestConfigIsChecked(t *testing.T) {
	short, err := memberlist.NewKeyring(nil, bytes.Repeat([]byte{1}, 16))
	if err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*gossip.Config){
		"log and registerer":         func(c *gossip.Config) { c.Log = nil },
		"id:":                        func(c *gossip.Config) { c.Self.ID = "peer-a" },
		"name:":                      func(c *gossip.Config) { c.Self.Name = "" },
		"group name:":                func(c *gossip.Config) { c.GroupName = strings.Repeat("g", 300) },
		"bind:":                      func(c *gossip.Config) { c.Bind = "localhost" },
		"needs a gossip key":         func(c *gossip.Config) { c.Bind = "192.0.2.1:8652" },
		"advertise must say":         func(c *gossip.Config) { c.Bind = "0.0.0.0:8652" },
		"not an address":             func(c *gossip.Config) { c.Advertise = "0.0.0.0:8652" },
		"16 bytes, must have 32":     func(c *gossip.Config) { c.Keyring = short },
		"holds no key":               func(c *gossip.Config) { c.Keyring = &memberlist.Keyring{} },
		"timings: probe timeout":     func(c *gossip.Config) { c.Timings = gossip.LAN(); c.Timings.ProbeTimeout = c.Timings.Probe },
		"timings: gossip must be":    func(c *gossip.Config) { c.Timings = gossip.LAN(); c.Timings.Gossip = 0 },
		"labels: what this peer":     func(c *gossip.Config) { c.Self.Labels = map[string]string{"a": strings.Repeat("v", 500)} },
		"register metrics":           func(c *gossip.Config) { c.Registerer = taken(t) },
		"timings: rejoin-max must":   func(c *gossip.Config) { c.Timings = gossip.LAN(); c.Timings.RejoinMax = 1 },
		"forget must be above zero":  func(c *gossip.Config) { c.Forget = -1 },
		"timings: suspicion and ret": func(c *gossip.Config) { c.Timings = gossip.LAN(); c.Timings.Retry = 0 },
	} {
		c := plain()
		spoil(&c)
		if _, err := gossip.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	configured(t, func(c *gossip.Config) { c.Bind, c.Insecure = "192.0.2.1:8652", true })
}

func taken(t *testing.T) prometheus.Registerer {
	t.Helper()
	c := plain()
	if _, err := gossip.New(c); err != nil {
		t.Fatal(err)
	}
	return c.Registerer
}

// A forged announcement must neither end the process nor enter the roster.
func TestForgedAnnouncements(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, nil)
		forger, err := n.Listen(atB)
		if err != nil {
			t.Fatal(err)
		}
		good := []byte{0xa1, 0x01, 0x61, 'b'}
		for _, f := range []map[string]any{
			announcement(idB, good, nil), announcement(idB, good, []uint8{1, 5, 2}), announcement(idB, good, []uint8{1, 5, 2, 0, 0}),
			announcement("host-b", good, versions), announcement(idB, []byte("junk"), versions), announcement(idB, nil, versions),
		} {
			send(t, forger, atA, f)
		}
		send(t, forger, atA, announcement(idC, good, versions))
		synctest.Wait()
		if ms := a.Members(); len(ms) != 2 || ms[1].ID != idC {
			t.Errorf("members %+v", ms)
		}
		if got := a.gauge("muster_gossip_refused_total"); got != 3 {
			t.Errorf("%v refused", got)
		}
	})
}

var versions = []uint8{1, 5, 2, 0, 0, 0}

func announcement(id string, meta []byte, vsn []uint8) map[string]any {
	return map[string]any{
		"Incarnation": uint32(1), "Node": id, "Addr": []byte{10, 0, 0, 9}, "Port": uint16(8652), "Meta": meta, "Vsn": vsn,
	}
}

func send(t *testing.T, from *gossiptest.Transport, to string, message map[string]any) {
	t.Helper()
	const alive = 4 // memberlist's message type
	buf := bytes.NewBuffer([]byte{alive})
	if err := codec.NewEncoder(buf, &codec.MsgpackHandle{}).Encode(message); err != nil {
		t.Fatal(err)
	}
	packet, err := memberlist.AddLabelHeaderToPacket(buf.Bytes(), "muster")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := from.WriteTo(packet, to); err != nil {
		t.Fatal(err)
	}
}
