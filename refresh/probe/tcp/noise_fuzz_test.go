package tcp_test

import (
	"bufio"
	"io"
	"net"
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/tcp"
)

// A server that says anything at all instead of what is expected.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make: func(env refresh.Env) (refresh.Asker, error) {
			return tcp.New(`{"send":"version\r\n","expect":"VERSION ","kind":"memcached"}`, env)
		},
		Serve: func(conn net.Conn) {
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				_, _ = io.WriteString(conn, "VERSION 1.6.18\r\n")
			}
		},
		Head: "VERSION ",
	})
}
