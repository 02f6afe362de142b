package nats_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/nats"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// A server that says anything at all within right pages.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return nats.New("", env) },
		Serve: leader.serve,
		Head:  "HTTP/1.1 200 OK\r\n\r\n{\"server_id\":\"",
	})
}
