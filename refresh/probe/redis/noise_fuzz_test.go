package redis_test

import (
	"strings"
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/redis"
)

// A server of a cluster that says anything at all within right answers.
func FuzzNoise(f *testing.F) {
	mine := strings.Replace(clusterNodes, "379 master -", "379 myself,master -", 1)
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return redis.New("", env) },
		Serve: fake{info: clustered(primaryInfo), nodes: mine}.serve,
		Head:  "*2\r\n$3\r\nabc\r\n*1000\r\n",
	})
}
