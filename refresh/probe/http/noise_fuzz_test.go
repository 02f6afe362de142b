package httpprobe_test

import (
	"net"
	"testing"

	"github.com/musterhq/muster/refresh"
	httpprobe "github.com/musterhq/muster/refresh/probe/http"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// A server that says anything at all within a page, to a client that logs in and so is the library's.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make: func(env refresh.Env) (refresh.Asker, error) {
			env.Reveal = func(refresh.Secret) (string, error) { return "knock", nil }
			return httpprobe.New(`{"kind":"vault","token_env":"TOKEN"}`, env)
		},
		Serve: func(conn net.Conn) { probetest.ServeHTTP(conn, "ok") },
		Head:  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
	})
}
