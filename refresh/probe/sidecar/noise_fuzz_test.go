package sidecar_test

import (
	"net"
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/sidecar"
)

// A sidecar that says anything at all within a right document.
func FuzzNoise(f *testing.F) {
	body, err := document.Encode()
	if err != nil {
		f.Fatal(err)
	}
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return sidecar.New("", env) },
		Serve: func(conn net.Conn) { probetest.ServeHTTP(conn, string(body)) },
		Head:  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"protocol\": 1, \"kind\": \"",
	})
}
