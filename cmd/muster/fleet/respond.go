package fleet

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/musterhq/muster/refresh"
)

const (
	badRequest   = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	headTooLarge = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	notFound     = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
	notAllowed   = "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n"
	failed       = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
	halfDocument = `{"protocol": 1, "node_id": "fle`
)

// poll is a request that is being answered.
type poll struct {
	*share
	node    *node
	answer  *answer
	request request
}

// out holds answers while they are made and sent.
var out = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// respond answers the request with this head. It says whether the connection may carry another.
func (s *share) respond(n *node, conn *net.TCPConn, head []byte) bool {
	r, ok := parseRequest(head)
	if !ok {
		_, _ = conn.Write([]byte(badRequest))
		return false
	}
	a := n.answer.Load()
	if a.delay > 0 {
		if !s.pause(a.delay) {
			return false
		}
		a = n.answer.Load()
	}
	switch a.manner {
	case refusing:
		return false
	case silent:
		return true
	case answering, garbage:
	}
	b := out.Get().(*[]byte)
	defer out.Put(b)
	*b = poll{s, n, a, r}.append((*b)[:0])
	_, err := conn.Write(*b)
	return err == nil && !r.close
}

func (s *share) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

func (p poll) append(b []byte) []byte {
	metrics := string(p.request.path) == metricsPath
	switch {
	case string(p.request.path) != refresh.NodePath && !metrics:
		return append(b, notFound...)
	case string(p.request.method) != "GET":
		return append(b, notAllowed...)
	}
	p.polls.Add(1)
	now := time.Now()
	switch {
	case p.answer.manner == garbage:
		return fmt.Appendf(b, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(halfDocument), halfDocument)
	case metrics:
		return p.appendMetrics(b, now)
	case p.request.matches(p.answer.etag):
		p.notModified.Add(1)
		return p.appendNotModified(b, now)
	}
	return p.appendDocument(b, now)
}

func (p poll) appendNotModified(b []byte, now time.Time) []byte {
	b = append(b, "HTTP/1.1 304 Not Modified\r\nETag: "...)
	b = append(b, p.answer.etag...)
	if lag, ok := p.answer.worstLag(now, p.node.index); ok {
		b = append(b, "\r\n"+refresh.LagHeader+": "...)
		b = strconv.AppendInt(b, lag, 10)
	}
	return append(b, "\r\n\r\n"...)
}

func (p poll) appendDocument(b []byte, now time.Time) []byte {
	d := p.document(p.node, p.answer, now)
	body, err := d.Encode()
	if err != nil {
		p.log.Error("cannot write a node's document", "node", p.id(p.node), "error", err)
		return append(b, failed...)
	}
	b = append(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "...)
	b = append(b, p.answer.etag...)
	b = fmt.Appendf(b, "\r\nContent-Length: %d\r\n\r\n", len(body))
	return append(b, body...)
}
