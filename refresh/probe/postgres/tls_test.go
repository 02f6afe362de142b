package postgres_test

import (
	"syscall"
	"testing"

	"github.com/musterhq/muster/refresh/probe/probetest"
)

// certified turns TLS on in a running server, and gives the config that trusts who vouches for it.
func certified(t *testing.T, s *server) string {
	t.Helper()
	ca := probetest.NewAuthority(t)
	certificate, key := ca.Issue(t, "127.0.0.1").Write(t, s.data, "server")
	probetest.Own(t, owner, s.data)
	s.do(t, "ALTER SYSTEM SET ssl_cert_file = '"+certificate+"'")
	s.do(t, "ALTER SYSTEM SET ssl_key_file = '"+key+"'")
	s.do(t, "ALTER SYSTEM SET ssl = on")
	s.Stop(t, syscall.SIGINT)
	s.Start(t)
	s.Await(t, ready)
	return `"tls":true,` + kept(t, "tls_ca_file", ca.PEM)
}
