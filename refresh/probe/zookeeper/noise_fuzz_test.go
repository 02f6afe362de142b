package zookeeper_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/zookeeper"
)

// A server that says anything at all within a right answer.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return zookeeper.New("", env) },
		Serve: answers(follower),
		Head:  "This ZooKeeper instance is not currently serving requests\n",
	})
}
