package httpd

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/musterhq/muster/fsm"
)

// secure is a listener as TLS has it. Callers that speak plain HTTP are told so, in plain HTTP.
func (s *Server) secure(ln net.Listener) net.Listener {
	if s.TLS == nil {
		return ln
	}
	return tls.NewListener(&plainTeller{ln, s.metrics}, s.TLS)
}

// plainTeller is a listener for TLS that answers plain HTTP.
type plainTeller struct {
	net.Listener
	metrics *metrics
}

// Accept implements net.Listener.
func (l *plainTeller) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &plainTold{Conn: c, metrics: l.metrics}, nil
}

// errPlain means that a caller of a TLS listener spoke plain HTTP, and was told.
var errPlain = errors.New("plain HTTP on a listener for TLS")

// plainTold is a connection whose first byte is looked at: TLS begins with 0x16, a method with a capital letter.
type plainTold struct {
	net.Conn
	metrics *metrics
	begun   bool
}

// Read implements net.Conn. The first is that of TLS's handshake, which nothing else runs beside.
func (c *plainTold) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.begun || n == 0 {
		return n, err
	}
	c.begun = true
	if first := b[0]; first < 'A' || first > 'Z' {
		return n, err
	}
	c.metrics.refused.WithLabelValues("plain").Inc()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write(earlyAnswer(http.StatusBadRequest, fsm.CodeInvalid, "this peer speaks TLS: ask it at https://, and name the "+
		"authority of its certificate with -ca-file or MUSTER_CACERT")) // the caller may be gone
	return 0, errPlain
}

// earlyAnswer is an answer, in the shape of all errors, to who has not been listened to.
func earlyAnswer(status int, code fsm.Code, message string) []byte {
	body, err := json.Marshal(errorBody{Error: errorDetail{Code: code, Message: message}})
	if err != nil {
		body = nil
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), len(body), body)
}
