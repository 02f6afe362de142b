package mongodb_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/mongodb"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// A member of a replica set that says anything at all within right answers.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return mongodb.New("", env) },
		Serve: fake{answers: replica(2, now*1000)}.serve,
		Head:  raw(40_000_000, 1, 2013, 0, ""),
	})
}
