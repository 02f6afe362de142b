package postgres_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/postgres"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// A replica that says anything at all within right answers.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return postgres.New("", env) },
		Serve: fake{rows: [][]string{replicaRow}}.serve,
		Head:  "R\x00\x00\x00\x08\x00\x00\x00\x00",
	})
}
