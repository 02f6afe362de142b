package peerport_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/peerport"
)

func TestDialJudged(t *testing.T) {
	for name, c := range map[string]struct {
		dialer, wanted           string
		dialerGroup, wantedGroup string
		owner                    string // who answers at the wanted peer's address
		want                     *peerport.RefusedError
		text                     string
	}{
		"same group":          {dialer: "a", wanted: "b", owner: "b", dialerGroup: "g", wantedGroup: "g"},
		"dialer has none yet": {dialer: "a", wanted: "b", owner: "b", wantedGroup: "g"},
		"wanted has none yet": {dialer: "a", wanted: "b", owner: "b", dialerGroup: "g"},
		"neither has one":     {dialer: "a", wanted: "b", owner: "b"},
		"another group": {
			dialer: "a", wanted: "b", owner: "b", dialerGroup: "g", wantedGroup: "h",
			want: &peerport.RefusedError{
				Reason: peerport.WrongGroup, From: "a", Group: "g", To: "b", Peer: "b", PeerGroup: "h",
			},
			text: `peer a refused by peer b: wrong group (own "g", theirs "h")`,
		},
		"another group, from its side": {
			dialer: "b", wanted: "a", owner: "a", dialerGroup: "h", wantedGroup: "g",
			want: &peerport.RefusedError{
				Reason: peerport.WrongGroup, From: "b", Group: "h", To: "a", Peer: "a", PeerGroup: "g",
			},
			text: `peer b refused by peer a: wrong group (own "h", theirs "g")`,
		},
		"address of another peer": {
			dialer: "a", wanted: "b", owner: "c", dialerGroup: "g", wantedGroup: "g",
			want: &peerport.RefusedError{
				Reason: peerport.WrongPeer, From: "a", Group: "g", To: "b", Peer: "c", PeerGroup: "g",
			},
			text: "peer a wanted peer b: wrong peer, its address is that of peer c",
		},
		"two peers with one id": {
			dialer: "a", wanted: "b", owner: "a", dialerGroup: "g", wantedGroup: "g",
			want: &peerport.RefusedError{
				Reason: peerport.DuplicateID, From: "a", Group: "g", To: "b", Peer: "a", PeerGroup: "g",
			},
			text: "peer a refused by peer b: id a is claimed twice",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := loopback()
			dialer := w.start(t, c.dialer, func(cfg *peerport.Config) { cfg.Group = group(c.dialerGroup) })
			owner := w.start(t, c.owner, func(cfg *peerport.Config) { cfg.Group = group(c.wantedGroup) })
			owner.echo(t)
			addr, _ := w.resolve(c.owner)
			w.move(c.wanted, addr)

			stream, err := dialer.Streams().Dial(raft.ServerAddress(c.wanted), 10*time.Second)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				defer stream.Close()
				exchange(t, stream, "hello")
				return
			}
			var refused *peerport.RefusedError
			if !errors.As(err, &refused) || !errors.Is(err, peerport.ErrRefused) {
				t.Fatalf("Dial = %v, want a RefusedError", err)
			}
			if diff := cmp.Diff(c.want, refused); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.text, err.Error()); diff != "" {
				t.Error(diff)
			}
			if n := owner.count(t, "refused_total", c.want.Reason.String()); n != 1 {
				t.Errorf("%v refusals counted as %s, want 1", n, c.want.Reason)
			}
			if n := dialer.count(t, "dials_total", "refused"); n != 1 {
				t.Errorf("%v dials counted as refused, want 1", n)
			}
		})
	}
}

// A peer whose own address another once had is no double of itself.
func TestOwnPortIsNoDouble(t *testing.T) {
	w := loopback()
	a := w.start(t, "a", nil)
	addr, _ := w.resolve("a")
	w.move("b", addr)
	_, err := a.Streams().Dial("b", 10*time.Second)
	var refused *peerport.RefusedError
	if !errors.As(err, &refused) || refused.Reason != peerport.WrongPeer {
		t.Errorf("Dial = %v, want %s", err, peerport.WrongPeer)
	}
}

func TestDialRefusedOnceStreamsAreClosed(t *testing.T) {
	w := loopback()
	a, b := w.start(t, "a", nil), w.start(t, "b", nil)
	b.Streams().Close()
	_, err := a.Streams().Dial("b", 10*time.Second)
	var refused *peerport.RefusedError
	if !errors.As(err, &refused) || refused.Reason != peerport.Closing {
		t.Errorf("Dial = %v, want %s", err, peerport.Closing)
	}
	if _, err := b.Streams().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v, want net.ErrClosed", err)
	}
}

func TestDialUnreachable(t *testing.T) {
	w := loopback()
	a := w.start(t, "a", nil)
	_, err := a.Streams().Dial("b", 10*time.Second)
	if !errors.Is(err, peerport.ErrUnknownPeer) {
		t.Errorf("Dial = %v, want ErrUnknownPeer", err)
	}
	gone := w.listen(t)
	w.move("b", gone.Addr().String())
	gone.Close()
	_, err = a.Streams().Dial("b", 10*time.Second)
	if dial := (*peerport.DialError)(nil); !errors.As(err, &dial) || dial.Peer != "b" || dial.Addr == "" {
		t.Errorf("Dial = %v, want a DialError with peer and address", err)
	}
}

// packed is strings as frames hold them.
func packed(parts ...string) []byte {
	var b []byte
	for _, s := range parts {
		b = append(append(b, byte(len(s))), s...)
	}
	return b
}

func answerFrame(reason peerport.Reason, group, id string) []byte {
	return frame(1, append([]byte{byte(reason)}, packed(group, id)...))
}

func frame(version byte, body []byte) []byte {
	return append([]byte{0xD5, version, byte(len(body) >> 8), byte(len(body))}, body...)
}

// The bytes on the wire, which no release may change.
func TestFrames(t *testing.T) {
	good := packed("g", "a", "b", "1")
	for name, c := range map[string]struct {
		send []byte
		want peerport.Reason // 0: accepted
	}{
		"good":                     {frame(1, good), 0},
		"later version":            {frame(2, good), peerport.UnknownVersion},
		"longer than may be":       {[]byte{0xD5, 1, 0, 253}, peerport.Malformed},
		"far longer":               {[]byte{0xD5, 1, 255, 255}, peerport.Malformed},
		"empty body":               {frame(1, nil), peerport.Malformed},
		"a string too few":         {frame(1, packed("g", "a", "b")), peerport.Malformed},
		"a string too many":        {frame(1, append(slices.Clone(good), 0)), peerport.Malformed},
		"string beyond the frame":  {frame(1, []byte{200, 'g'}), peerport.Malformed},
		"nobody's id":              {frame(1, packed("g", "", "b", "1")), peerport.Malformed},
		"id with a line break":     {frame(1, packed("g", "a\nb", "b", "1")), peerport.Malformed},
		"group longer than may be": {frame(1, packed(strings.Repeat("g", 65), "a", "b", "1")), peerport.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			w := loopback()
			b := w.start(t, "b", nil)
			b.echo(t)
			conn := w.connect(t, "b")
			if _, err := conn.Write(c.send); err != nil {
				t.Fatal(err)
			}
			want := answerFrame(c.want, "g", "b")
			got := make([]byte, len(want))
			if _, err := io.ReadFull(conn, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if c.want == 0 {
				exchange(t, conn, "hello")
			} else if n, err := conn.Read(got); err == nil {
				t.Errorf("refused, but %d more bytes came", n)
			}
		})
	}
}

func TestGarbageClosed(t *testing.T) {
	w := loopback()
	a := w.start(t, "a", nil)
	for _, first := range []byte{0, 'g', 0x16, 0xFF} {
		conn := w.connect(t, "a")
		if _, err := conn.Write([]byte{first}); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("first byte %#x: Read = %d, %v, want EOF", first, n, err)
		}
	}
	for reason, want := range map[string]float64{"unknown_protocol": 3, "tls_unexpected": 1} {
		if n := a.count(t, "refused_total", reason); n != want {
			t.Errorf("%v refusals counted as %s, want %v", n, reason, want)
		}
	}
}

// A dialer takes only a well-formed acceptance, and only from the peer it wanted.
func TestDialerJudgesTheAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer []byte
		want   peerport.Reason // 0: an error that is no refusal
	}{
		"another peer accepts":        {answerFrame(0, "g", "c"), peerport.WrongPeer},
		"another group accepts":       {answerFrame(0, "h", "b"), peerport.WrongGroup},
		"a reason of a later release": {answerFrame(99, "g", "b"), 99},
		"not a frame":                 {[]byte("HTTP/1.1 400 Bad Request\r\n"), 0},
		"too long":                    {[]byte{0xD5, 1, 255, 255}, 0},
		"empty":                       {frame(1, nil), 0},
		"nothing":                     {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := loopback()
			a := w.start(t, "a", nil)
			l := w.listen(t)
			defer l.Close()
			w.move("b", l.Addr().String())
			answered := make(chan error, 1)
			go func() {
				conn, err := l.Accept()
				if err == nil {
					_, err = io.ReadFull(conn, make([]byte, 4))
				}
				if err == nil {
					_, err = conn.Write(c.answer)
					conn.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, conn)
					conn.Close()
				}
				answered <- err
			}()
			_, err := a.Streams().Dial("b", 10*time.Second)
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			var refused *peerport.RefusedError
			if err == nil || errors.As(err, &refused) != (c.want != 0) || refused != nil && refused.Reason != c.want {
				t.Errorf("Dial = %v, want reason %d", err, c.want)
			}
		})
	}
}
