package mysql_test

import (
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/refresh/probe/probetest"
)

// certificate makes a certificate for a server on loopback, and gives the text of who vouches for it and the files of it and
// of its key.
func certificate(t *testing.T) (authority, certFile, keyFile string) {
	t.Helper()
	ca, home := probetest.NewAuthority(t), t.TempDir()
	certFile, keyFile = ca.Issue(t, "127.0.0.1").Write(t, home, "server")
	probetest.Own(t, owner, filepath.Dir(home))
	return ca.PEM, certFile, keyFile
}
