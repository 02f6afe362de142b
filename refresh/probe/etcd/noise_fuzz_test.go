package etcd_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/etcd"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// A member that says anything at all within right answers.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return etcd.New("", env) },
		Serve: (&fake{status: leader()}).serve,
		Head:  settings,
	})
}
