package memcached_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/memcached"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// A server that says anything at all within a right answer, or wants a login first.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make: func(env refresh.Env) (refresh.Asker, error) {
			env.Reveal = loopback().Reveal
			return memcached.New(`{"username":"muster","password_file":"right"}`, env)
		},
		Serve: says(stats),
		Head:  "CLIENT_ERROR unauthenticated\r\n",
	})
}
