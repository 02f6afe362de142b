package httpd

import (
	"net"
	"net/http"
	"sync"
)

// unasked are the connections over which no request has come yet. Clients open some ahead of need, and http.Server, which answers none
// that comes after it was told to stop, waits five seconds for each all the same.
type unasked struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	over  bool
}

// follow is for http.Server.ConnState.
func (u *unasked) follow(conn net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(u.conns, conn)
	case u.over:
		_ = conn.Close()
	default:
		u.conns[conn] = struct{}{}
	}
}

// hangUp closes them, and those that come later.
func (u *unasked) hangUp() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	for conn := range u.conns {
		_ = conn.Close()
	}
}
