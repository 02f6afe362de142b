package etcd

import (
	"net"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	frameHead = 9        // bytes before each frame's payload: its length in three, type, flags, and the stream in four
	maxFrame  = 16 << 10 // bytes of payload; what HTTP/2 allows unless the reader asks for more, and gRPC does not
	settings  = 4        // the type of the frame that begins what an HTTP/2 server says
	linger    = 100 * time.Millisecond
)

// guard is a connection that reads HTTP/2 only, in frames of lawful length. gRPC would find the same, and call all of it
// unavailable. Reads come from one goroutine.
type guard struct {
	net.Conn
	note  func(error)
	ended chan struct{} // closed when reading has ended
	once  sync.Once

	head    []byte // of the frame that is being read
	payload int    // bytes of it still to come
	begun   bool   // the first frame was as it should be
}

// Read hands on what keeps to the rules, and remembers how the connection ended.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if fault := g.follow(p[:n]); fault != nil {
		n, err = 0, fault
	}
	if err != nil {
		g.note(err)
		g.once.Do(func() { close(g.ended) })
	}
	return n, err
}

// Write fails a moment late when it does: a server that refuses, as for want of a certificate, says why before it closes,
// and gRPC stops reading once it cannot write.
func (g *guard) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	if err != nil {
		late := time.NewTimer(linger)
		defer late.Stop()
		select {
		case <-g.ended:
		case <-late.C:
		}
	}
	return n, err
}

func (g *guard) follow(p []byte) error {
	for len(p) > 0 {
		if g.payload > 0 {
			n := min(g.payload, len(p))
			g.payload -= n
			p = p[n:]
			continue
		}
		g.head = append(g.head, p[0])
		p = p[1:]
		if len(g.head) < frameHead {
			continue
		}
		if !g.begun && g.head[3] != settings {
			return refresh.NewFault(fsm.ReasonProtocol, "is no etcd server: what it says first is not HTTP/2")
		}
		g.begun = true
		g.payload = int(g.head[0])<<16 | int(g.head[1])<<8 | int(g.head[2])
		if g.payload > maxFrame {
			return refresh.NewFault(fsm.ReasonTooLarge, "a frame is longer than %d bytes", maxFrame)
		}
		g.head = g.head[:0]
	}
	return nil
}
