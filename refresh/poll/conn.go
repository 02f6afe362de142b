package poll

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/musterhq/muster/refresh"
)

// conn is a connection, in use by one request or idle, in which case it is in the client's list.
type conn struct {
	net.Conn
	address      string
	interrupt    func()    // made once, so that arming it for a request allocates no closure
	since        time.Time // when it became idle
	newer, older *conn
}

// held is a connection of another protocol, which counts as one in use until it is closed.
type held struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (h *held) Close() error {
	defer h.leave()
	return h.Conn.Close()
}

// past is a deadline that has gone by, in virtual time too.
var past = time.Unix(1, 0)

func newConn(raw net.Conn, address string) *conn {
	cn := &conn{Conn: raw, address: address}
	cn.interrupt = func() { _ = raw.SetDeadline(past) }
	return cn
}

// buffers belong to a request while it is under way.
type buffers struct {
	in  *bufio.Reader
	out []byte
}

var pool = sync.Pool{New: func() any {
	return &buffers{in: bufio.NewReaderSize(nil, maxLine), out: make([]byte, 0, 512)}
}}

// exchange sends r over cn and reads the answer. Afterwards cn is idle or closed. heard says whether any of an answer was
// read.
func (c *Client) exchange(ctx context.Context, cn *conn, r *refresh.Request) (_ refresh.Response, heard bool, _ error) {
	// Its end, deadline or not, interrupts the connection: a deadline for each request would be two timers moved for nothing.
	stop := context.AfterFunc(ctx, cn.interrupt)
	b := pool.Get().(*buffers)
	b.in.Reset(cn.Conn)

	a, heard, err := send(cn, b, r)
	keep := err == nil && a.keep && b.in.Buffered() == 0

	b.in.Reset(nil)
	pool.Put(b)
	// Once the interrupt has begun it may strike at any later time: such a connection is of no use.
	if stop() && keep {
		c.idle.put(cn)
	} else {
		_ = cn.Close()
		c.idle.leave()
	}
	return a.Response, heard, err
}

func send(cn *conn, b *buffers, r *refresh.Request) (answer, bool, error) {
	b.out = appendRequest(b.out[:0], r)
	if _, err := cn.Write(b.out); err != nil {
		return answer{}, false, fmt.Errorf("send: %w", err)
	}
	if _, err := b.in.Peek(1); err != nil {
		return answer{}, false, fmt.Errorf("wait for an answer: %w", err)
	}
	a, err := readAnswer(b.in, r)
	if err != nil {
		return answer{}, true, err
	}
	return a, true, nil
}

func appendRequest(out []byte, r *refresh.Request) []byte {
	out = append(out, "GET "...)
	out = append(out, r.Path...)
	out = append(out, " HTTP/1.1\r\nHost: "...)
	out = append(out, r.Address...)
	out = append(out, "\r\nUser-Agent: muster\r\n"...)
	if r.IfNoneMatch != "" {
		out = append(out, "If-None-Match: "...)
		out = append(out, r.IfNoneMatch...)
		out = append(out, "\r\n"...)
	}
	return append(out, "\r\n"...)
}
