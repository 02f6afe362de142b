package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

// tap stands between the peers and an HTTP server and counts what goes through it.
type tap struct {
	addr   string // host:port
	server *http.Server

	mu      sync.Mutex
	now     traffic
	flowing int // requests under way that the server does not hold back
}

// traffic is what went through a tap.
type traffic struct {
	requests int // those that the server may answer at once
	blocking int // Consul's blocking queries
	bytes    int // of answers, without their heads
	most     int // of requests at once
}

// newTap listens before a server at addr until it is closed.
func newTap(ctx context.Context, addr string) (*tap, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{addr: l.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: addr}) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { // the client has gone, for the most part
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	t.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		index := r.URL.Query().Get("index")
		held := index != "" && index != "0"
		t.begin(held)
		defer t.end(held)
		proxy.ServeHTTP(&counting{w, t}, r)
	})}
	go func() { _ = t.server.Serve(l) }() // it ends with close
	return t, nil
}

func (t *tap) close() error {
	if err := t.server.Close(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (t *tap) begin(held bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if held {
		t.now.blocking++
		return
	}
	t.now.requests++
	t.flowing++
	t.now.most = max(t.now.most, t.flowing)
}

func (t *tap) end(held bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !held {
		t.flowing--
	}
}

// take returns what went through since the last call.
func (t *tap) take() traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.now
	t.now = traffic{}
	return out
}

// seen is what went through since the last take.
func (t *tap) seen() traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// counting counts an answer's bytes.
type counting struct {
	http.ResponseWriter
	tap *tap
}

// Write is http.ResponseWriter's.
func (c *counting) Write(p []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.now.bytes += len(p)
	c.tap.mu.Unlock()
	return c.ResponseWriter.Write(p)
}
