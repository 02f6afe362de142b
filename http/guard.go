package httpd

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// guard refuses, on a listener bound to loopback, requests for hosts that are not this machine: a name of somebody else's
// that was made to resolve to a loopback address would let a web page reach the peer through its reader's browser.
func (s *Server) guard(bound net.Addr) http.Handler {
	if !isLoopback(bound) {
		return s.handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.knows(r.Host) {
			s.handler.ServeHTTP(w, r)
			return
		}
		s.metrics.refused.WithLabelValues("host").Inc()
		s.serve(w, r, "none", func(http.ResponseWriter, *http.Request) error {
			return fsm.Errorf(fsm.CodeForbidden, "host %q is not this peer, which listens on loopback: ask for localhost, or start it with "+
				"-advertise-http %s where that leads to it", r.Host, r.Host)
		})
	})
}

// knows says whether a Host header names this machine. HTTP/1.0 clients, which no browser is, may leave it out.
func (s *Server) knows(host string) bool {
	if host == "" {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	if ip, err := netip.ParseAddr(name); err == nil && ip.Unmap().IsLoopback() {
		return true
	}
	return name == "localhost" || slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

func isLoopback(a net.Addr) bool { return onLoopback(a.String()) }

// fromLoopback says whether a request comes from this machine, as far as its connection tells.
func fromLoopback(r *http.Request) bool { return onLoopback(r.RemoteAddr) }

func onLoopback(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// clientAddress is where a request comes from, without the port.
func clientAddress(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// causeOf is who asked for a write: from where, and with which token.
func causeOf(r *http.Request) fsm.Cause {
	cause := fsm.Cause{Kind: fsm.CauseOperator, Address: clientAddress(r)}
	if p := passOf(r.Context()); p != nil {
		cause.Accessor = p.accessor
	}
	return cause
}
