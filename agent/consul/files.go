package consul

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/musterhq/muster/agent/namedfile"
	source "github.com/musterhq/muster/discovery/consul"
)

const maxPEM = 1 << 20 // bytes of a file of certificates, or of a key

// CheckFiles says what is wrong with the files that a configuration names, by the names of their options. A peer starts all the
// same, and tries them again and again: they may be put there later.
func (c Config) CheckFiles() error {
	return errors.Join(c.checkToken(), c.checkAuthorities(), c.checkPair())
}

func (c Config) checkToken() error {
	if c.TokenFile == "" {
		return nil
	}
	if err := source.CheckTokenFile(c.TokenFile); err != nil {
		return fmt.Errorf("-consul-token-file: %w", err)
	}
	return nil
}

func (c Config) checkAuthorities() error {
	if c.CAFile == "" {
		return nil
	}
	text, err := namedfile.Read(c.CAFile, namedfile.Rules{Most: maxPEM})
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s holds no certificate in PEM", c.CAFile)
	}
	if err != nil {
		return fmt.Errorf("-consul-ca-file: %w", err)
	}
	return nil
}

func (c Config) checkPair() error {
	if c.CertFile == "" || c.KeyFile == "" {
		return nil
	}
	shown, err := namedfile.Read(c.CertFile, namedfile.Rules{Most: maxPEM})
	if err != nil {
		return fmt.Errorf("-consul-cert-file: %w", err)
	}
	key, err := namedfile.Read(c.KeyFile, namedfile.Rules{Most: maxPEM})
	if err != nil {
		return fmt.Errorf("-consul-key-file: %w", err)
	}
	if _, err := tls.X509KeyPair(shown, key); err != nil {
		return fmt.Errorf("-consul-cert-file %s and -consul-key-file %s are no pair: %w", c.CertFile, c.KeyFile, err)
	}
	return nil
}
