package gossip_test

import (
	"bytes"
	"compress/lzw"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
)

// memberlist's message types.
const (
	typeAlive, typeDead, typeCompound, typeCompressed, typeEncrypted, typeChecked = 4, 5, 7, 9, 10, 12
)

func message(t *testing.T, kind byte, body map[string]any) []byte {
	t.Helper()
	buf := bytes.NewBuffer([]byte{kind})
	if err := codec.NewEncoder(buf, &codec.MsgpackHandle{}).Encode(body); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// sealed encrypts a packet as memberlist does.
func sealed(t *testing.T, key byte, label string, packet []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce)
	return append(append([]byte{1}, nonce...), gcm.Seal(nil, nonce, packet, []byte(label))...)
}

func labelled(t *testing.T, label string, packet []byte) []byte {
	t.Helper()
	out, err := memberlist.AddLabelHeaderToPacket(packet, label)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// lockedTrio is three peers with one key that know one another.
func lockedTrio(t *testing.T, n *gossiptest.Network) (a, b, c *peer) {
	t.Helper()
	a, b, c = start(t, n, idA, atA, keyed(t, 1)), start(t, n, idB, atB, keyed(t, 1)), start(t, n, idC, atC, keyed(t, 1))
	a.keepJoining()
	b.keepJoining(atA)
	c.keepJoining(atA)
	a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
	b.sees(map[string]gossip.Status{idA: gossip.Alive, idC: gossip.Alive})
	c.sees(map[string]gossip.Status{idA: gossip.Alive, idB: gossip.Alive})
	return a, b, c
}

// Whoever lacks the key or the group's name changes nothing, whatever it sends: no peer is added, lost or changed.
func TestNobodyGetsInWithoutKeyAndName(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, b, c := lockedTrio(t, n)
		<-time.After(time.Minute) // the first news is told
		forger, err := n.Listen(away)
		if err != nil {
			t.Fatal(err)
		}
		before := map[*peer]<-chan struct{}{a: a.Changed(), b: b.Changed(), c: c.Changed()}
		const idD = "01J0000000000000000000000D"
		for _, m := range [][]byte{
			message(t, typeDead, map[string]any{"Incarnation": uint32(9), "Node": idA, "From": idB}),
			message(t, typeDead, map[string]any{"Incarnation": uint32(9), "Node": idB, "From": idB}),
			message(t, typeDead, map[string]any{"Incarnation": uint32(9), "Node": idC, "From": idC}),
			message(t, typeAlive, announcement(idD, []byte{0xa1, 0x01, 0x61, 'd'}, versions)),
			message(t, typeAlive, announcement(idB, []byte{0xa1, 0x01, 0x61, 'x'}, versions)),
		} {
			for name, packet := range map[string][]byte{
				"in the clear":        labelled(t, "muster", m),
				"without a name":      m,
				"with another key":    labelled(t, "muster", sealed(t, 2, "muster", m)),
				"with another name":   labelled(t, "others", sealed(t, 1, "others", m)),
				"under a false name":  labelled(t, "muster", sealed(t, 1, "others", m)),
				"sealed without name": sealed(t, 1, "", m),
			} {
				for _, to := range []string{atA, atB, atC, atA, atB, atC, atA, atB, atC} {
					if _, err := forger.WriteTo(packet, to); err != nil {
						t.Fatal(name, err)
					}
				}
			}
		}
		synctest.Wait()
		<-time.After(time.Minute)
		for p, changed := range before {
			select {
			case <-changed:
				t.Errorf("members changed: %+v", p.Members())
			default:
			}
			if p.gauge("muster_gossip_warnings_total") == 0 {
				t.Error("nothing was counted")
			}
			if got := p.log.count(" level=WARN "); got > 20+15 {
				t.Errorf("%d warnings logged", got)
			}
		}
		// The same words of one who has both are taken, so that this test says something; the living contradict them.
		dead := message(t, typeDead, map[string]any{"Incarnation": uint32(9), "Node": idB, "From": idB})
		if _, err := forger.WriteTo(labelled(t, "muster", sealed(t, 1, "muster", dead)), atA); err != nil {
			t.Fatal(err)
		}
		a.sees(map[string]gossip.Status{idB: gossip.Failed, idC: gossip.Alive})
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
	})
}

func TestJoinWithAnotherKeyOrName(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, _, _ := lockedTrio(t, n)
		for name, change := range map[string]func(*gossip.Config){
			"no key":       nil,
			"another key":  keyed(t, 2),
			"another name": func(c *gossip.Config) { keyed(t, 1)(c); c.GroupName = "others" },
		} {
			p := start(t, n, "01J0000000000000000000000D", away, change)
			if got, err := p.Join(t.Context(), []string{atA}); got != 0 || err == nil {
				t.Errorf("%s: joined %d, %v", name, got, err)
			}
			p.sees(nil)
			p.crash()
		}
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
	})
}

// recorder keeps the packets that a peer sent.
type recorder struct {
	*gossiptest.Transport
	mu   sync.Mutex
	sent [][]byte
}

func (r *recorder) WriteTo(b []byte, to string) (time.Time, error) {
	r.mu.Lock()
	r.sent = append(r.sent, slices.Clone(b))
	r.mu.Unlock()
	return r.Transport.WriteTo(b, to)
}

// Packets that were listened to and are sent again bring no farewell back: the peer that said it has returned since.
func TestReplayedPackets(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, b := start(t, n, idA, atA, keyed(t, 1)), start(t, n, idB, atB, keyed(t, 1))
		a.keepJoining()
		b.keepJoining(atA)
		tape := &recorder{}
		c := start(t, n, idC, atC, func(cfg *gossip.Config) {
			keyed(t, 1)(cfg)
			tape.Transport = cfg.Transport.(*gossiptest.Transport)
			cfg.Transport = tape
		})
		c.keepJoining(atA)
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
		c.stop(gossip.Leaving)
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Left})
		c = start(t, n, idC, atC, keyed(t, 1))
		c.keepJoining(atA)
		alive := map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive}
		a.sees(alive)
		<-time.After(time.Minute)

		ear, err := n.Listen(away)
		if err != nil {
			t.Fatal(err)
		}
		if len(tape.sent) == 0 {
			t.Fatal("nothing was recorded")
		}
		changed := a.Changed()
		for _, packet := range tape.sent {
			if _, err := ear.WriteTo(packet, atA); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
		a.sees(alive)
		select {
		case <-changed:
			t.Errorf("members changed: %+v", a.Members())
		default:
		}
	})
}

// A ring that is changed while gossip runs changes what is read and sent, and nobody is lost by it.
func TestKeysChangeWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
		var rings []*memberlist.Keyring
		own := func(c *gossip.Config) {
			keyed(t, 1)(c)
			rings = append(rings, c.Keyring)
		}
		a, b := start(t, n, idA, atA, own), start(t, n, idB, atB, own)
		a.keepJoining()
		b.keepJoining(atA)
		a.sees(map[string]gossip.Status{idB: gossip.Alive})
		<-time.After(time.Minute)
		changed := a.Changed()
		for _, step := range []func(*memberlist.Keyring) error{
			func(r *memberlist.Keyring) error { return r.AddKey(second) },
			func(r *memberlist.Keyring) error { return r.UseKey(second) },
			func(r *memberlist.Keyring) error { return r.RemoveKey(first) },
		} {
			for _, r := range rings {
				if err := step(r); err != nil {
					t.Fatal(err)
				}
				<-time.After(time.Minute) // one peer ahead of the other
			}
		}
		select {
		case <-changed:
			t.Errorf("members changed: %+v", a.Members())
		default:
		}
		late := start(t, n, idC, atC, keyed(t, 1))
		late.keepJoining(atA)
		<-time.After(time.Minute)
		if got := late.log.count("muster keyring install"); got != 1 {
			t.Errorf("a peer with the old key said %d times what to do: %s", got, late.log.buf.String())
		}
		late.crash()
		late = start(t, n, idC, atC, keyed(t, 2))
		late.keepJoining(atA)
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
	})
}

// zeros is a compressed message that unpacks to 40 MiB.
func zeros(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := lzw.NewWriter(&packed, lzw.LSB, 8)
	if _, err := io.CopyN(w, nothing{}, 40<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return message(t, typeCompressed, map[string]any{"Algo": 0, "Buf": packed.Bytes()})
}

type nothing struct{}

func (nothing) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func compound(parts ...[]byte) []byte {
	out := []byte{typeCompound, byte(len(parts))}
	for _, p := range parts {
		out = binary.BigEndian.AppendUint16(out, uint16(len(p)))
	}
	return append(out, bytes.Join(parts, nil)...)
}

// Where nothing is encrypted, what would unpack to more than was sent is refused before memberlist sees it, however wrapped.
func TestBombs(t *testing.T) {
	a := start(t, nil, idA, "127.0.0.1:0", nil)
	bomb := zeros(t)
	if len(bomb) > 60_000 {
		t.Fatalf("a bomb of %d bytes fits no packet", len(bomb))
	}
	deep := []byte{0, 1} // of a ping, which is harmless by itself
	for range 10 {
		deep = compound(deep)
	}
	packets, err := net.Dial("udp", a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	want := 0.0
	for _, packet := range [][]byte{
		labelled(t, "muster", bomb), bomb, labelled(t, "muster", compound([]byte{0, 1}, bomb)), labelled(t, "muster", deep),
		labelled(t, "muster", append([]byte{typeChecked, 0, 0, 0, 0}, bomb...)),
	} {
		if _, err := packets.Write(packet); err != nil {
			t.Fatal(err)
		}
		want++
		a.counts("muster_gossip_refused_total", want)
	}
	for _, head := range [][]byte{labelled(t, "muster", bomb), bomb} {
		conn, err := net.Dial("tcp", a.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := conn.Write(head[:1]); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(head[1:]) // it may be closed by then
		expectClosed(t, conn)
		want++
		a.counts("muster_gossip_refused_total", want)
	}
}

// A stream brings no more than a roster could, whatever length it announces; memberlist alone takes 20 MiB of anybody.
func TestEndlessStreams(t *testing.T) {
	a := start(t, nil, idA, "127.0.0.1:0", func(c *gossip.Config) { keyed(t, 1)(c); c.Timings.Stream = time.Minute })
	for _, announced := range []uint32{19 << 20, 40 << 20} {
		conn, err := net.Dial("tcp", a.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		head := binary.BigEndian.AppendUint32([]byte{typeEncrypted}, announced)
		if _, err := conn.Write(labelled(t, "muster", head)); err != nil {
			t.Fatal(err)
		}
		sent, err := io.CopyN(conn, nothing{}, 19<<20)
		if err == nil {
			t.Errorf("%d bytes announced: all %d were taken", announced, sent)
		}
	}
	a.counts("muster_gossip_refused_total", 1)
}
