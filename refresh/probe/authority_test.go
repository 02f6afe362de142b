package probe_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// authority signs certificates.
type authority struct{ *probetest.Authority }

func newAuthority(t *testing.T) *authority { return &authority{probetest.NewAuthority(t)} }

// server is the configuration of a server with a certificate for host; one that trusts clients wants their certificate.
func (a *authority) server(t *testing.T, host string, clients *authority) *tls.Config {
	t.Helper()
	issued := a.Issue(t, host)
	pair, err := tls.X509KeyPair([]byte(issued.Certificate), []byte(issued.Key))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		config.ClientCAs.AddCert(clients.Certificate)
	}
	return config
}

// vault is where secrets are kept, by the name of their file or variable.
type vault struct {
	mu   sync.Mutex
	held map[string]string
}

func (v *vault) put(name, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held == nil {
		v.held = map[string]string{}
	}
	v.held[name] = text
}

func (v *vault) reveal(s refresh.Secret) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text, ok := v.held[s.File+s.Variable]
	if !ok {
		return "", os.ErrNotExist
	}
	return text, nil
}

// expectNoSecret checks that an error shows nothing of what is kept.
func (v *vault) expectNoSecret(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for name, text := range v.held {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && strings.Contains(err.Error(), line) {
				t.Errorf("the error shows what %s holds: %v", name, err)
			}
		}
	}
}
