package peerport_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/cert"
	"github.com/musterhq/muster/agent/peerport"
)

// office issues certificates, all of one authority.
type office struct {
	*testing.T
	dir string
	ca  cert.Issued
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{T: t, dir: t.TempDir()}
	ca, err := cert.NewAuthority("ca", time.Now(), time.Hour)
	o.ca = o.store("ca", ca, err)
	return o
}

func (o *office) store(name string, i cert.Issued, err error) cert.Issued {
	o.Helper()
	err = errors.Join(err, os.WriteFile(filepath.Join(o.dir, name+".pem"), i.Cert, 0o600),
		os.WriteFile(filepath.Join(o.dir, name+"-key.pem"), i.Key, 0o600))
	if err != nil {
		o.Fatal(err)
	}
	return i
}

func (o *office) issue(name string, change func(*cert.Request)) cert.Issued {
	o.Helper()
	a, err := cert.OpenAuthority(filepath.Join(o.dir, "ca.pem"), filepath.Join(o.dir, "ca-key.pem"), time.Now())
	if err != nil {
		o.Fatal(err)
	}
	q := cert.Request{Name: name, Group: "g", Peer: true, Now: time.Now(), Lasts: 30 * time.Minute}
	if change != nil {
		change(&q)
	}
	i, err := a.Issue(q)
	return o.store(name, i, err)
}

// peer secures the port of a peer with a certificate of its own.
func (o *office) peer(name string, changes ...func(*peerport.Config)) func(*peerport.Config) {
	o.Helper()
	o.issue(name, nil)
	certs, err := cert.Open(cert.Config{
		Files: cert.Files{
			CA: filepath.Join(o.dir, "ca.pem"), Cert: filepath.Join(o.dir, name+".pem"),
			Key: filepath.Join(o.dir, name+"-key.pem"),
		},
		Group: "g", Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		o.Fatal(err)
	}
	return func(c *peerport.Config) {
		c.TLS = certs
		for _, change := range changes {
			change(c)
		}
	}
}

// caller is a TLS client that trusts the authority and shows what it was given.
func (o *office) caller(own *cert.Issued, alpn ...string) *tls.Config {
	o.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(o.ca.Cert)
	conf := &tls.Config{RootCAs: pool, ServerName: "peer.g.muster", NextProtos: alpn}
	if own != nil {
		pair, err := own.Pair()
		if err != nil {
			o.Fatal(err)
		}
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return conf
}

// TestPeersOverTLS carries both protocols, on one port, between two peers.
func TestPeersOverTLS(t *testing.T) {
	o, w := newOffice(t), loopback()
	a := w.start(t, "a", o.peer("a"))
	b := w.start(t, "b", o.peer("b", serving(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := peerport.CallerOf(r.Context())
		io.WriteString(w, "for "+caller.ID)
	})))
	b.echo(t)
	for range 3 {
		exchange(t, a.dialStream(t, "b"), "hello")
		if got := ask(t, a, peerport.Request{Peer: "b", Path: "/"}); got != "for a" {
			t.Errorf("the answer is %q", got)
		}
	}
	for protocol, want := range map[string]float64{"raft": 3, "http": 1} {
		if n := b.count(t, "accepted_connections_total", protocol); n != want {
			t.Errorf("%v %s connections, want %v", n, protocol, want)
		}
	}
}

// forged are a peer's introduction and, behind it, calls that would do harm to raft: a snapshot of 2^40 bytes, and entries of
// the last term there can be.
func forged() []byte {
	hello := bytes.NewBuffer(nil)
	_ = peerport.WriteHello(hello, peerport.NewHello("g", "z", "b", "instance"))
	for kind, rpc := range map[byte]any{
		2: &raft.InstallSnapshotRequest{Term: 1<<64 - 1, Size: 1 << 40, LastLogIndex: 1 << 60},
		0: &raft.AppendEntriesRequest{Term: 1<<64 - 1, LeaderCommitIndex: 1<<64 - 1},
	} {
		hello.WriteByte(kind) // as raft's transport has it
		_ = codec.NewEncoder(hello, &codec.MsgpackHandle{}).Encode(rpc)
	}
	return hello.Bytes()
}

// TestStrangersAtTheTLSPort sends a peer's introduction, and what would do harm behind it, in every way but that of a peer:
// nothing of it comes through, and each is counted for what it is.
func TestStrangersAtTheTLSPort(t *testing.T) {
	o := newOffice(t)
	peer := o.issue("z", nil)
	client := o.issue("client", func(q *cert.Request) { q.Peer = false })
	other := o.issue("other", func(q *cert.Request) { q.Group = "h" })
	ended := o.issue("ended", func(q *cert.Request) { q.Now, q.Lasts = time.Now().Add(-time.Minute), time.Second })
	foreign := newOffice(t).issue("foreign", nil)
	over := func(own *cert.Issued, alpn ...string) func(net.Conn) net.Conn {
		return func(c net.Conn) net.Conn { return tls.Client(c, o.caller(own, alpn...)) }
	}
	plain := func(c net.Conn) net.Conn { return c }
	request := []byte("POST /join HTTP/1.1\r\nHost: b\r\nX-Muster-Peer: b\r\nX-Muster-From: z\r\nX-Muster-Hop: 1\r\n\r\n")
	for name, c := range map[string]struct {
		way     func(net.Conn) net.Conn
		sends   []byte
		counted string
	}{
		"plain, raft":              {plain, forged(), "tls_required"},
		"plain, http":              {plain, request, "tls_required"},
		"plain, neither":           {plain, []byte("\x00\x01\x02"), "tls_required"},
		"no certificate":           {over(nil, "muster-raft"), forged(), "handshake"},
		"a client's":               {over(&client, "muster-raft"), forged(), "handshake"},
		"another group's":          {over(&other, "muster-raft"), forged(), "handshake"},
		"ended":                    {over(&ended, "muster-raft"), forged(), "handshake"},
		"another authority's":      {over(&foreign, "muster-raft"), forged(), "handshake"},
		"no certificate, http":     {over(nil, "muster-peer-http"), request, "handshake"},
		"a client's, http":         {over(&client, "muster-peer-http"), request, "handshake"},
		"a protocol of others":     {over(&peer, "http/1.1"), request, "handshake"},
		"no protocol":              {over(&peer), forged(), "unknown_protocol"},
		"http where raft was said": {over(&peer, "muster-raft"), request, "unknown_protocol"},
		"a peer's, unknown id":     {over(&peer, "muster-raft"), forged(), "not_member"},
		"unknown id, http":         {over(&peer, "muster-peer-http"), request, "not_member"},
	} {
		t.Run(name, func(t *testing.T) {
			w := loopback()
			var came atomic.Int32
			b := w.start(t, "b", o.peer("b", func(c *peerport.Config) {
				c.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) })
				c.Member = func(id string) bool { return id == "a" }
			}))
			go func() {
				for {
					if _, err := b.Streams().Accept(); err != nil {
						return
					}
					came.Add(1)
				}
			}()
			conn := c.way(w.connect(t, "b"))
			_, _ = conn.Write(c.sends) // it may be refused before
			_, _ = io.Copy(io.Discard, conn)
			b.stop() // it has counted then
			if n := b.count(t, "refused_total", c.counted); n != 1 {
				t.Errorf("%v refusals counted as %s, want 1", n, c.counted)
			}
			if came.Load() != 0 {
				t.Error("it came through")
			}
		})
	}
}

// TestPlainAndTLSTellEachOther dials from either kind of port to the other: the caller's error and the log of who is called
// say what to do.
func TestPlainAndTLSTellEachOther(t *testing.T) {
	o, w := newOffice(t), loopback()
	var log bytes.Buffer
	logs := func(c *peerport.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) }
	secure, plain := w.start(t, "secure", o.peer("secure", logs)), w.start(t, "plain", logs)
	secure.echo(t)
	plain.echo(t)
	_, streamErr := plain.Streams().Dial("secure", time.Minute)
	_, askErr := plain.Client().Do(t.Context(), peerport.Request{Peer: "secure", Path: "/"})
	_, backErr := secure.Streams().Dial("plain", time.Minute)
	for name, err := range map[string]error{"stream": streamErr, "request": askErr, "other way": backErr} {
		if err == nil || !strings.Contains(err.Error(), "-ca-file, -cert-file and -key-file") {
			t.Errorf("%s: %v", name, err)
		}
		if !peerport.NotSent(err) {
			t.Errorf("%s: it is not said that nothing was sent: %v", name, err)
		}
	}
	secure.stop()
	plain.stop()
	for _, remedy := range []string{"the caller does not speak TLS, as this peer does", "the caller speaks TLS and this peer does not"} {
		if !strings.Contains(log.String(), remedy) {
			t.Errorf("the log does not say %q:\n%s", remedy, log.String())
		}
	}
}

// TestHandshakesAreBounded holds more connections open than may be about to show who they are: the others are refused, those
// are closed when their time is over, slow ones too, and then a peer gets in.
func TestHandshakesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, tried = 20, 10_000
		o := newOffice(t)
		w, _ := piped()
		a := w.start(t, "a", o.peer("a"))
		b := w.start(t, "b", o.peer("b", func(c *peerport.Config) { c.MaxHandshakes, c.MaxConnsPerIP = most, tried }))
		b.echo(t)
		slow := w.connect(t, "b")
		hello := &recorder{}
		_ = tls.Client(hello, o.caller(nil, "muster-raft")).Handshake() // its hello is all that is wanted
		written := make(chan struct{})
		go func() {
			defer close(written)
			for _, one := range hello.Bytes() {
				<-time.After(time.Second)
				if _, err := slow.Write([]byte{one}); err != nil {
					return
				}
			}
		}()
		begin := time.Now()
		for range tried {
			w.connect(t, "b")
		}
		synctest.Wait()
		if n := b.count(t, "open_connections", "new"); n != most {
			t.Errorf("%v connections are open that have shown nothing, want %d", n, most)
		}
		if n := b.count(t, "refused_total", "handshakes"); n != tried+1-most {
			t.Errorf("%v were refused, want %d", n, tried+1-most)
		}
		if _, err := slow.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the slow one: Read = %v, want EOF", err)
		}
		if lasted := time.Since(begin); lasted != 5*time.Second {
			t.Errorf("a byte a second lasted %v, want 5s", lasted)
		}
		<-written
		synctest.Wait()
		if n := b.count(t, "refused_total", "silent"); n != most {
			t.Errorf("%v were silent, want %d", n, most)
		}
		for range most + 1 { // who has shown who it is counts no more
			exchange(t, a.dialStream(t, "b"), "hello")
		}
	})
}

// recorder is a connection that keeps what is written and is at its end.
type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error)      { return r.Buffer.Write(b) }
func (r *recorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (r *recorder) Close() error                     { return nil }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }
