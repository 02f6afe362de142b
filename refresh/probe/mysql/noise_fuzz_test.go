package mysql_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/mysql"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// A server that says anything at all within right answers.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return mysql.New("", env) },
		Serve: primary.serve,
		Head:  packet(0, "\xff\x10\x04Too many connections"),
	})
}
