package replicante_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/replicante"
)

// An agent of either generation that says anything at all within right pages.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, noisy(second))
}

func FuzzNoiseOfTheFirst(f *testing.F) {
	probetest.Noise(f, noisy(first))
}

func noisy(pages map[string]page) probetest.Subject {
	return probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return replicante.New("", env) },
		Serve: serve(pages),
		Head:  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"node_id\": \"",
	}
}
