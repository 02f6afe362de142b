package rabbitmq_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/rabbitmq"
)

// A node that says anything at all within right pages.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make: func(env refresh.Env) (refresh.Asker, error) {
			env.Reveal = reveal
			return rabbitmq.New("{"+login+"}", env)
		},
		Serve: healthy.serve,
		Head:  "HTTP/1.1 200 OK\r\n\r\n{\"node\":\"",
	})
}
