package peerport

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// Client asks other peers over peer-HTTP, on connections kept alive. It may be
// used concurrently, from New until Run has returned.
type Client struct {
	port      *Port
	transport *http.Transport
}

// Request is one request to one peer.
type Request struct {
	Peer   string // the id
	Method string // default GET, or POST with a body
	Path   string // absolute, with its query, escaped
	Body   []byte
}

// StatusError is an answer that is not 2xx: the peer was reached and did not do,
// or not do well, what was asked. Body is as the peer's handler wrote it.
type StatusError struct {
	Peer, Method, Path string
	Status             int
	Body               []byte
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s at peer %s: status %d", e.Method, e.Path, e.Peer, e.Status)
}

var _ http.RoundTripper = (*Client)(nil)

func newClient(p *Port) *Client {
	c := &Client{port: p}
	c.transport = &http.Transport{
		DialContext:            c.dial,
		MaxConnsPerHost:        p.cfg.ConnsPerPeer,
		MaxIdleConnsPerHost:    p.cfg.ConnsPerPeer,
		IdleConnTimeout:        p.cfg.IdleTimeout / 2, // before the other side closes them
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
	}
	return c
}

// Do sends r and returns the body of the answer. It waits until ctx ends, and
// where ctx has no deadline for at most Config.RequestTimeout. See NotSent for
// its errors; others are *StatusError, ErrTooLarge, and those of the exchange.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.port.cfg.RequestTimeout)
		defer cancel()
	}
	req, err := r.build(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask peer %s: %w", r.Peer, err)
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", req.Method, r.Path, err)
	}
	defer resp.Body.Close()
	body, err := readAtMost(resp.Body, c.port.cfg.MaxResponse)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer of peer %s: %w", req.Method, r.Path, r.Peer, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, &StatusError{
			Peer: r.Peer, Method: req.Method, Path: r.Path, Status: resp.StatusCode, Body: body,
		}
	}
	return body, nil
}

func (r Request) build(ctx context.Context) (*http.Request, error) {
	if !validID(r.Peer) {
		return nil, fmt.Errorf("%q is no peer id", r.Peer)
	}
	target, err := url.ParseRequestURI(r.Path)
	if err != nil {
		return nil, err
	}
	target.Scheme, target.Host = "http", r.Peer
	method := r.Method
	var body io.Reader
	if r.Body != nil {
		body = bytes.NewReader(r.Body)
		if method == "" {
			method = http.MethodPost
		}
	}
	return http.NewRequestWithContext(ctx, method, target.String(), body)
}

// RoundTrip makes Client an http.RoundTripper, for streams and reverse proxies:
// the host of the request's URL is the id of the peer, and its scheme does not
// matter. Nothing bounds the answer but the request's context. A refusal is an
// error, not an answer.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	hop := 1
	if caller, ok := CallerOf(req.Context()); ok {
		hop += caller.Hop
	}
	id := req.URL.Hostname()
	if hop > maxHops {
		closeBody(req)
		return nil, fmt.Errorf("ask peer %s: %w", id, ErrHopLimit)
	}
	h := hello{group: c.port.cfg.Group(), from: c.port.cfg.ID, to: id, instance: c.port.instance}
	out := req.Clone(req.Context())
	out.URL.Scheme = "http"
	out.Header.Set(headerGroup, h.group)
	out.Header.Set(headerFrom, h.from)
	out.Header.Set(headerPeer, h.to)
	out.Header.Set(headerInstance, h.instance)
	out.Header.Set(headerHop, strconv.Itoa(hop))
	if c.port.cfg.Outgoing != nil {
		c.port.cfg.Outgoing(out.Context(), out.Header)
	}
	resp, err := c.transport.RoundTrip(out)
	if err != nil {
		return nil, fmt.Errorf("ask peer %s: %w", id, err)
	}
	if resp.StatusCode == http.StatusMisdirectedRequest {
		defer resp.Body.Close()
		return nil, fmt.Errorf("ask peer %s: %w", id, readRefusal(resp.Body, h))
	}
	return resp, nil
}

// dial is given "id:port" by the transport, whose port means nothing here.
func (c *Client) dial(ctx context.Context, _, hostPort string) (_ net.Conn, err error) {
	p := c.port
	defer func() { p.metrics.dialOutcome(err) }()
	id, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, &DialError{Peer: hostPort, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.DialTimeout)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	return p.dial(ctx, id, alpnHTTP)
}

func readRefusal(body io.Reader, h hello) error {
	e := &RefusedError{Reason: WrongPeer, From: h.from, Group: h.group, To: h.to}
	var told refusalBody
	if err := json.NewDecoder(io.LimitReader(body, maxHeaderBytes)).Decode(&told); err == nil {
		if reason, ok := reasonNamed(told.Error.Code); ok {
			e.Reason = reason
		}
		e.Peer, e.PeerGroup = told.Error.Fields.Peer, told.Error.Fields.Group
	}
	return e
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: over %d bytes", ErrTooLarge, limit)
	}
	return body, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
